// flags: -O1 -pthread
// Writes, reads, copies from one file to another, and has threads, each at a time of its own; in between it sleeps. For each sleep it says in the end
// on a line when it began and ended (nanoseconds since the Unix epoch), and what it had done since the first one: calls, bytes written, read and
// copied, and how many threads there were.
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <time.h>
#include <unistd.h>

static struct {
    unsigned long long began, ended, calls, written, read, copied, threads;
} sleeps[16], now = {.threads = 1};
static int count, null, zero, file;
static char buffer[8192];
static pthread_barrier_t begun, over;

static unsigned long long ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    return time.tv_sec * 1000000000ull + time.tv_nsec;
}

static void note(unsigned long long *bytes, ssize_t moved) {
    now.calls++;
    *bytes += moved;
}

static void sleeps_now(void) {
    now.began = ns();
    usleep(300000);
    now.ended = ns();
    sleeps[count++] = now;
}

static void *writes(void *nothing) {
    pthread_mutex_t *lock = nothing;
    pthread_mutex_lock(lock);
    note(&now.written, write(null, buffer, 10));
    pthread_mutex_unlock(lock);
    pthread_barrier_wait(&begun);
    pthread_barrier_wait(&over);
    return NULL;
}

int main(void) {
    null = open("/dev/null", O_WRONLY);
    zero = open("/dev/zero", O_RDONLY);
    file = memfd_create("file", 0);
    if (ftruncate(file, 1 << 20)) return 1;
    sleeps_now();
    for (int i = 0; i < 100; i++) note(&now.written, write(null, buffer, 1000));
    sleeps_now();
    for (int i = 0; i < 50; i++) note(&now.read, read(zero, buffer, 4096));
    sleeps_now();
    for (int i = 0; i < 5; i++) note(&now.copied, sendfile(null, file, NULL, 65536));
    sleeps_now();
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_t threads[3];
    pthread_barrier_init(&begun, NULL, 4);
    pthread_barrier_init(&over, NULL, 4);
    for (int i = 0; i < 3; i++) pthread_create(&threads[i], NULL, writes, &lock);
    now.threads += 3;
    pthread_barrier_wait(&begun);
    sleeps_now();
    pthread_barrier_wait(&over);
    for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
    now.threads -= 3;
    for (int i = 0; i < 200; i++) note(&now.written, write(null, buffer, 8192));
    sleeps_now();
    for (int i = 0; i < count; i++)
        printf("%llu %llu %llu %llu %llu %llu %llu\n", sleeps[i].began, sleeps[i].ended, sleeps[i].calls, sleeps[i].written, sleeps[i].read,
               sleeps[i].copied, sleeps[i].threads);
    return 0;
}
