// flags: -O1
// Touches 16 MiB three times, and takes 300 ms of processor time; its child does so once, and then executes this program again. After
// each step it sleeps, and says on a line: the process, when the sleep began and ended (nanoseconds since the Unix epoch), and what getrusage
// told before it: page faults without and with I/O, and microseconds of processor time. The last number is how many bytes it has touched.
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STEP (16u << 20)

static unsigned long long touched;

static unsigned long long ns(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * 1000000000ull + now.tv_nsec;
}

static unsigned long long us(struct timeval time) {
    return time.tv_sec * 1000000ull + time.tv_usec;
}

static void sleeps(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    unsigned long long began = ns(CLOCK_REALTIME);
    usleep(300000);
    unsigned long long ended = ns(CLOCK_REALTIME);
    printf("%d %llu %llu %ld %ld %llu %llu\n", getpid(), began, ended, usage.ru_minflt, usage.ru_majflt,
           us(usage.ru_utime) + us(usage.ru_stime), touched);
    fflush(stdout);
}

static int touches(void) {
    char *memory = mmap(NULL, STEP, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return 0;
    // Else a fault may bring more than a page.
    madvise(memory, STEP, MADV_NOHUGEPAGE);
    memset(memory, 1, STEP);
    touched += STEP;
    return 1;
}

static void burns(void) {
    unsigned long long began = ns(CLOCK_PROCESS_CPUTIME_ID);
    while (ns(CLOCK_PROCESS_CPUTIME_ID) - began < 300000000) {}
}

int main(int argc, char **argv) {
    sleeps();
    if (argc > 1) return 0;
    for (int i = 0; i < 3; i++) {
        if (!touches()) return 1;
        sleeps();
    }
    burns();
    sleeps();
    pid_t child = fork();
    if (child == 0) {
        touched = 0;
        sleeps();
        if (!touches()) return 1;
        sleeps();
        execl(argv[0], argv[0], "again", (char *)NULL);
        return 1;
    }
    int status;
    return waitpid(child, &status, 0) != child || status != 0;
}
