// flags: -O1
// Reads 4 KiB of /dev/zero again and again for a second, and then a byte from a pipe 40 times, each of which comes after 30 ms. Says
// when the slow reads began and ended, in nanoseconds since the Unix epoch, and how many fast ones there were.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static unsigned long long ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * 1000000000ull + now.tv_nsec;
}

int main(void) {
    static char bytes[4096];
    unsigned long long reads = 0;
    int zero = open("/dev/zero", O_RDONLY), asks[2], answers[2];
    if (zero < 0 || pipe(asks) || pipe(answers)) return 1;
    pid_t child = fork();
    if (child == 0) {
        close(asks[1]);
        while (read(asks[0], bytes, 1) == 1) {
            usleep(30000);
            if (write(answers[1], bytes, 1) != 1) return 1;
        }
        return 0;
    }
    close(asks[0]);
    for (unsigned long long end = ns() + 1000000000; ns() < end; reads++)
        if (read(zero, bytes, sizeof bytes) != sizeof bytes) return 1;
    unsigned long long began = ns();
    for (int i = 0; i < 40; i++)
        if (write(asks[1], bytes, 1) != 1 || read(answers[0], bytes, 1) != 1) return 1;
    unsigned long long ended = ns();
    close(asks[1]);
    int status;
    if (waitpid(child, &status, 0) != child || status) return 1;
    printf("%llu %llu %llu\n", began, ended, reads);
    return 0;
}
