// flags: -O1 -fno-builtin -pthread @counting
/* More threads at the same time than a region has slots, on the smallest possible stacks. Each makes its first
 * calls when all exist. */
#include "witness.h"
#include <limits.h>
#include <pthread.h>

enum { THREADS = 1300 };
static pthread_barrier_t all_there, all_done;
static int null;

static void *thread(void *argument) {
    (void)argument;
    static const char bytes[32];
    pthread_barrier_wait(&all_there);
    for (size_t i = 1; i <= 20; i++) {
        drop(make(i * 10));
        MUST(MOVE(write, i, write(null, bytes, i)) == (long)i);
    }
    MUST(MOVE(write, 9, write(-1, bytes, 9)) < 0);
    MUST(make(24));
    pthread_barrier_wait(&all_done);
    return NULL;
}

int main(void) {
    count_again();
    null = (int)TRY(open, open("/dev/null", O_WRONLY));
    static pthread_t threads[THREADS];
    pthread_attr_t attributes;
    MUST(!pthread_attr_init(&attributes));
    MUST(!pthread_attr_setstacksize(&attributes, PTHREAD_STACK_MIN));
    MUST(!pthread_barrier_init(&all_there, NULL, THREADS));
    MUST(!pthread_barrier_init(&all_done, NULL, THREADS));
    for (size_t i = 0; i < THREADS; i++)
        MUST(!pthread_create(&threads[i], &attributes, thread, NULL));
    for (size_t i = 0; i < THREADS; i++)
        MUST(!pthread_join(threads[i], NULL));
    tell_counted();
    return 0;
}
