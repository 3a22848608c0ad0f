// flags: -O1 -fno-builtin -pthread @counting
/* Thousands of threads, one batch after the other. Each allocates and writes, and allocates again in the
 * destructors that run at its end. The argument is how many. */
#include "witness.h"
#include <pthread.h>

enum { BATCH = 50 };
static pthread_key_t key;
static int null;
extern void *__dso_handle;
extern int __cxa_thread_atexit_impl(void (*)(void *), void *, void *);

static void at_thread_end(void *block) {
    drop(block);
    drop(make(33));
}

/* Runs again until the last round of destructors. */
static void key_destructor(void *round) {
    drop(make(500));
    MUST(MOVE(write, 3, write(null, "end", 3)) == 3);
    if ((uintptr_t)round < 4)
        pthread_setspecific(key, (void *)((uintptr_t)round + 1));
}

static void *thread(void *argument) {
    size_t number = (size_t)argument;
    for (size_t i = 0; i < number % 7 + 1; i++)
        drop(make(100 + i));
    MUST(!__cxa_thread_atexit_impl(at_thread_end, make(64), &__dso_handle));
    MUST(!pthread_setspecific(key, (void *)1));
    static char zeroes[100];
    MUST(MOVE(write, number % 100, write(null, zeroes, number % 100)) >= 0);
    MUST(MOVE(read, 5, read(-1, &number, 5)) < 0);
    return NULL;
}

int main(int argc, char **argv) {
    count_again();
    MUST(argc == 2);
    size_t threads = (size_t)atoi(argv[1]);
    null = (int)TRY(open, open("/dev/null", O_WRONLY));
    MUST(null >= 0 && !pthread_key_create(&key, key_destructor));
    pthread_t batch[BATCH];
    for (size_t done = 0; done < threads;) {
        size_t started = 0;
        for (; started < BATCH && done < threads; started++, done++)
            MUST(!pthread_create(&batch[started], NULL, thread, (void *)done));
        for (size_t i = 0; i < started; i++)
            MUST(!pthread_join(batch[i], NULL));
    }
    tell_counted();
    return 0;
}
