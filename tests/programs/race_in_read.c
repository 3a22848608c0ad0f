// flags: -g -O0 -pthread -fsanitize=thread
/* Two threads write to the same memory, one of them by a read. ThreadSanitizer says which functions do. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char *shared;
static pthread_barrier_t barrier;

__attribute__((noinline)) static void makes(void) { shared = malloc(64); }

__attribute__((noinline)) static void reads(void) {
    int file = open("/dev/zero", O_RDONLY);
    if (read(file, shared, 64) != 64)
        abort();
    close(file);
}

static void *reader(void *unused) {
    reads();
    pthread_barrier_wait(&barrier);
    return unused;
}

/* The order of the two is known to the program, but not to the sanitizer. */
static void *writer(void *unused) {
    usleep(100000);
    shared[3] = 1;
    pthread_barrier_wait(&barrier);
    return unused;
}

int main(void) {
    pthread_t threads[2];
    makes();
    pthread_barrier_init(&barrier, NULL, 2);
    pthread_create(&threads[0], NULL, reader, NULL);
    pthread_create(&threads[1], NULL, writer, NULL);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    free(shared);
    puts("done");
    return 0;
}
