// flags: -O1 -fno-builtin -pthread -fexceptions @counting
/* Threads that are cancelled in read and write and in waits for other threads, with cleanup handlers that allocate and write. */
#include "witness.h"
#include <pthread.h>
#include <signal.h>

enum { ROUNDS = 100 };
static int pipes[2], full[2], null;
static int ready, cleaned;

static void cleanup(void *block) {
    drop(block);
    drop(make(10));
    MUST(MOVE(write, 4, write(null, "done", 4)) == 4);
    PLUS(cleaned, 1);
}

static void *reads(void *unused) {
    (void)unused;
    char byte;
    pthread_cleanup_push(cleanup, make(100));
    __atomic_store_n(&ready, 1, __ATOMIC_RELEASE);
    note_call(DOES_read);
    note_size(DOES_read, 1);
    read(pipes[0], &byte, 1); /* never returns */
    MUST(0);
    pthread_cleanup_pop(0);
    return NULL;
}

static void *writes(void *unused) {
    (void)unused;
    pthread_cleanup_push(cleanup, make(100));
    __atomic_store_n(&ready, 1, __ATOMIC_RELEASE);
    note_call(DOES_write);
    note_size(DOES_write, 1);
    if (write(full[1], "x", 1) != 5)
        MUST(0);
    pthread_cleanup_pop(0);
    return NULL;
}

/* Cancels itself. The cancellation is deferred, so it happens at the next cancellation point. */
static void *cancels_itself(void *unused) {
    (void)unused;
    pthread_cleanup_push(cleanup, make(100));
    __atomic_store_n(&ready, 1, __ATOMIC_RELEASE);
    pthread_cancel(pthread_self());
    drop(make(20)); /* no cancellation point */
    note_call(DOES_read);
    note_size(DOES_read, 0);
    read(null, NULL, 0);
    MUST(0);
    pthread_cleanup_pop(0);
    return NULL;
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static pthread_t resting;

/* A thread that is cancelled at a condition variable has its mutex when its handlers run. */
static void give_back(void *unused) {
    (void)unused;
    MUST(pthread_mutex_trylock(&mutex) == EBUSY);
    MUST(!pthread_mutex_unlock(&mutex));
}

static void *waits(void *unused) {
    pthread_cleanup_push(cleanup, make(100));
    MUST(!pthread_mutex_lock(&mutex));
    pthread_cleanup_push(give_back, NULL);
    __atomic_store_n(&ready, 1, __ATOMIC_RELEASE);
    for (;;)
        MUST(!pthread_cond_wait(&condition, &mutex));
    pthread_cleanup_pop(0);
    pthread_cleanup_pop(0);
    return unused;
}

static void *joins(void *unused) {
    pthread_cleanup_push(cleanup, make(100));
    __atomic_store_n(&ready, 1, __ATOMIC_RELEASE);
    MUST(pthread_join(resting, NULL));
    pthread_cleanup_pop(0);
    return unused;
}

static void *rests(void *unused) {
    pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t never = PTHREAD_COND_INITIALIZER;
    MUST(!pthread_mutex_lock(&own));
    for (;;)
        MUST(!pthread_cond_wait(&never, &own));
    return unused;
}

int main(void) {
    count_again();
    MUST(!pthread_create(&resting, NULL, rests, NULL));
    null = (int)TRY(open, open("/dev/null", O_RDWR));
    MUST(!TRY(pipe, pipe(pipes)) && !TRY(pipe2, pipe2(full, O_NONBLOCK)));
    static char page[4096];
    while (MOVE(write, sizeof page, write(full[1], page, sizeof page)) > 0)
        ;
    int flags = (int)TRY(fcntl, fcntl(full[1], F_GETFL));
    MUST(!TRY(fcntl, fcntl(full[1], F_SETFL, flags & ~O_NONBLOCK)));
    void *(*bodies[])(void *) = {reads, writes, cancels_itself, waits, joins};
    for (int i = 0; i < ROUNDS; i++) {
        pthread_t thread;
        ready = 0;
        MUST(!pthread_create(&thread, NULL, bodies[i % 5], NULL));
        while (!__atomic_load_n(&ready, __ATOMIC_ACQUIRE))
            sched_yield();
        if (i % 2)
            TRY(usleep, usleep(300)); /* some threads are in the system call, others not yet */
        pthread_cancel(thread);
        void *result;
        MUST(!pthread_join(thread, &result) && result == PTHREAD_CANCELED);
    }
    say("%d cleaned\n", cleaned);
    tell_counted();
    return 0;
}
