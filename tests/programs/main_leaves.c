// flags: -O1 -pthread
/* The main thread ends, and other threads continue. The process ends when the last of them ends; their output is
 * still in its buffer then. The argument says whether they end one after the other, at once, or in a child that
 * one of them forks. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 9 };
static pthread_t threads[THREADS];
static pthread_barrier_t all;

static void at_exit(void) {
    puts("the process ended");
}

static void *waits_for_one_before(void *number) {
    size_t before = (size_t)number;
    if (before)
        pthread_join(threads[before - 1], NULL);
    free(malloc(100));
    puts("a thread ended");
    return NULL;
}

static void *waits_for_all(void *number) {
    free(malloc(100));
    puts("a thread ended");
    pthread_barrier_wait(&all);
    return number;
}

static void *waits_for_main(void *main) {
    pthread_join(*(pthread_t *)main, NULL);
    puts("a thread ended");
    return NULL;
}

static void *forks(void *nothing) {
    static pthread_t self, other;
    pid_t child = fork();
    if (child) {
        int status = -1;
        waitpid(child, &status, 0);
        if (status)
            abort();
        return nothing;
    }
    self = pthread_self();
    pthread_create(&other, NULL, waits_for_main, &self);
    return NULL;
}

int main(int argc, char **argv) {
    if (argc != 2)
        return 1;
    atexit(at_exit);
    pthread_barrier_init(&all, NULL, THREADS);
    void *(*run)(void *) = strcmp(argv[1], "at once") ? waits_for_one_before : waits_for_all;
    if (!strcmp(argv[1], "in a child"))
        pthread_create(&threads[0], NULL, forks, NULL);
    else
        for (size_t i = 0; i < THREADS; i++)
            if (pthread_create(&threads[i], NULL, run, (void *)i))
                return 1;
    pthread_exit(NULL);
}
