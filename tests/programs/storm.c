// flags: -O1
/* A storm of one kind, as its arguments say. `forks N`: children one after the other, each of which writes a byte.
 * `threads N`: threads that all exist at the same time, each of which writes a byte and allocates. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

static int sink;
static pthread_barrier_t all_there;

static void *thread(void *unused) {
    (void)unused;
    void *block = malloc(100);
    int failed = write(sink, "t", 1) != 1;
    pthread_barrier_wait(&all_there);
    free(block);
    return failed ? &sink : NULL;
}

static int threads(unsigned count) {
    pthread_t *made = calloc(count, sizeof *made);
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 64 << 10);
    pthread_barrier_init(&all_there, NULL, count);
    for (unsigned i = 0; i < count; i++)
        if (pthread_create(&made[i], &small, thread, NULL))
            return 2;
    int failed = 0;
    for (unsigned i = 0; i < count; i++) {
        void *result;
        pthread_join(made[i], &result);
        failed |= result != NULL;
    }
    free(made);
    return failed;
}

static int forks(unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        pid_t child = fork();
        if (child < 0)
            return 2;
        if (child == 0)
            _exit(write(sink, "c", 1) != 1);
        int status;
        if (waitpid(child, &status, 0) != child || status != 0)
            return 3;
    }
    return 0;
}

int main(int argc, char **argv) {
    sink = open("/dev/null", O_WRONLY);
    unsigned count = argc > 2 ? (unsigned)atoi(argv[2]) : 0;
    if (sink < 0 || count == 0)
        return 4;
    return strcmp(argv[1], "forks") ? threads(count) : forks(count);
}
