/* resident THREADS: the resident memory of a process whose THREADS threads have all used malloc.
 *
 * The first thread is main's. Every thread allocates, frees and then waits, so that all are alive
 * when main reads the resident size from /proc/self/status. Prints it in KiB, as the kernel does. */
#include "harness.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

enum { MOST_THREADS = 256 };

static pthread_barrier_t all_have_allocated, may_end;

static void allocate(void) {
    for (size_t size = 16; size <= 4096; size *= 2) {
        volatile char *block = malloc(size);
        *block = 1;
        free((void *)block);
    }
}

static void *work(void *unused) {
    allocate();
    pthread_barrier_wait(&all_have_allocated);
    pthread_barrier_wait(&may_end);
    return unused;
}

static double resident_kib(void) {
    char status[8192];
    int fd = open("/proc/self/status", O_RDONLY);
    ssize_t length = read(fd, status, sizeof status - 1);
    close(fd);
    if (length < 0)
        return -1;
    status[length] = '\0';
    const char *line = strstr(status, "VmRSS:");
    return line ? atof(line + strlen("VmRSS:")) : -1;
}

int main(int argc, char **argv) {
    long threads = count_argument(argc, argv, 1);
    if (threads > MOST_THREADS)
        return 2;
    pthread_barrier_init(&all_have_allocated, NULL, (unsigned)threads);
    pthread_barrier_init(&may_end, NULL, (unsigned)threads);
    pthread_t handles[MOST_THREADS];
    for (long i = 1; i < threads; i++)
        if (pthread_create(&handles[i], NULL, work, NULL) != 0)
            return 1;
    allocate();
    pthread_barrier_wait(&all_have_allocated);
    double resident = resident_kib();
    pthread_barrier_wait(&may_end);
    for (long i = 1; i < threads; i++)
        pthread_join(handles[i], NULL);
    print_result("resident_kib", resident);
    return resident < 0;
}
