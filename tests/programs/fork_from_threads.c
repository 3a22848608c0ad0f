// flags: -O1 -fno-builtin -pthread @counting
/* Threads that allocate all the time, while others fork children that also allocate. */
#include "witness.h"
#include <pthread.h>
#include <sys/wait.h>

enum { FORKERS = 3, FORKS = 20, BUSY = 3 };
static int stop;

static void *allocates(void *unused) {
    (void)unused;
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
        drop(make(100));
    return NULL;
}

static void *forks(void *unused) {
    (void)unused;
    for (int i = 0; i < FORKS; i++) {
        pid_t child = (pid_t)TRY(fork, fork());
        MUST(child >= 0);
        if (!child) {
            begin_again();
            count_again();
            for (int n = 0; n < 50; n++)
                drop(make(100 + (size_t)n));
            MUST(MOVE(write, 1, write(1, "\n", 1)) == 1);
            tell_counted();
            exit(0);
        }
        int status;
        MUST(waitpid(child, &status, 0) == child && !status);
    }
    return NULL;
}

int main(void) {
    count_again();
    pthread_t busy[BUSY], forkers[FORKERS];
    for (int i = 0; i < BUSY; i++)
        MUST(!pthread_create(&busy[i], NULL, allocates, NULL));
    for (int i = 0; i < FORKERS; i++)
        MUST(!pthread_create(&forkers[i], NULL, forks, NULL));
    for (int i = 0; i < FORKERS; i++)
        pthread_join(forkers[i], NULL);
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < BUSY; i++)
        pthread_join(busy[i], NULL);
    say("\n");
    tell_counted();
    return 0;
}
