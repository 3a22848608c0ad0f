// flags: -O1 -fno-builtin -pthread -fexceptions @counting
/* Threads that are cancelled in read and in write, with cleanup handlers that allocate and write. */
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

int main(void) {
    count_again();
    null = (int)TRY(open, open("/dev/null", O_RDWR));
    MUST(!TRY(pipe, pipe(pipes)) && !TRY(pipe2, pipe2(full, O_NONBLOCK)));
    static char page[4096];
    while (MOVE(write, sizeof page, write(full[1], page, sizeof page)) > 0)
        ;
    int flags = (int)TRY(fcntl, fcntl(full[1], F_GETFL));
    MUST(!TRY(fcntl, fcntl(full[1], F_SETFL, flags & ~O_NONBLOCK)));
    void *(*bodies[])(void *) = {reads, writes, cancels_itself};
    for (int i = 0; i < ROUNDS; i++) {
        pthread_t thread;
        ready = 0;
        MUST(!pthread_create(&thread, NULL, bodies[i % 3], NULL));
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
