// flags: -O1 -pthread
// Three calls of 200 ms in each of three threads: one reads a pipe and sleeps in it, one reads random bytes, which the kernel has to make,
// and the first one sleeps. Each call is told on a line: the function, the thread, how many microseconds it took, and for how many of
// them the thread had a processor, as the kernel says.
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int64_t now_us(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static void tell(const char *name, int64_t took_us, int64_t ran_us)
{
    char line[128];
    int length = snprintf(line, sizeof line, "%s %ld %lld %lld\n", name, (long)syscall(SYS_gettid), (long long)took_us, (long long)ran_us);
    if (write(STDOUT_FILENO, line, (size_t)length) != length)
        exit(2);
}

#define TOLD(name, call)                                                                                                          \
    do {                                                                                                                          \
        int64_t began = now_us(CLOCK_MONOTONIC), ran = now_us(CLOCK_THREAD_CPUTIME_ID);                                           \
        if ((call) < 0) {                                                                                                         \
            perror(name);                                                                                                         \
            exit(1);                                                                                                              \
        }                                                                                                                         \
        tell(name, now_us(CLOCK_MONOTONIC) - began, now_us(CLOCK_THREAD_CPUTIME_ID) - ran);                                       \
    } while (0)

static int pipe_ends[2];

static void *sleeps(void *unused)
{
    char byte;
    for (int time = 0; time < 3; ++time)
        TOLD("read", read(pipe_ends[0], &byte, 1));
    return unused;
}

static void *works(void *unused)
{
    size_t size = (size_t)96 << 20;
    char *memory = malloc(size);
    int random = open("/dev/urandom", O_RDONLY);
    if (memory == NULL || random < 0)
        exit(1);
    memset(memory, 1, size);
    for (int time = 0; time < 3; ++time)
        TOLD("pread", pread(random, memory, size, 0));
    close(random);
    free(memory);
    return unused;
}

int main(void)
{
    pthread_t sleeper, worker;
    struct timespec time = { .tv_nsec = 200 * 1000 * 1000 };
    if (pipe(pipe_ends) != 0)
        return 1;
    if (pthread_create(&sleeper, NULL, sleeps, NULL) != 0 || pthread_create(&worker, NULL, works, NULL) != 0)
        return 1;
    for (int times = 0; times < 3; ++times) {
        TOLD("nanosleep", nanosleep(&time, NULL));
        if (write(pipe_ends[1], "x", 1) != 1)
            return 1;
    }
    pthread_join(sleeper, NULL);
    pthread_join(worker, NULL);
    return 0;
}
