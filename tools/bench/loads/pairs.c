/* pairs THREADS PAIRS: what a malloc+free pair costs.
 *
 * Each thread keeps 64 blocks; a step frees one of them and allocates another of 16 to 527 bytes
 * in its place, and writes to it. The threads begin together, and each times its own steps. Prints
 * the time of one step, in ns, as the mean of the threads: with as many cores as threads it is the
 * same for every number of threads, if nothing is shared. */
#include "harness.h"

#include <pthread.h>

enum { MOST_THREADS = 64 };

static long pairs;
static pthread_barrier_t all_started;

struct worker {
    pthread_t handle;
    unsigned number;
    double took_ns;
};

static void *work(void *argument) {
    struct worker *self = argument;
    unsigned state = 12345 + self->number;
    void *blocks[SLOTS] = {0};
    pthread_barrier_wait(&all_started);
    double begin = clock_ns();
    for (long i = 0; i < pairs; i++) {
        state = next_random(state);
        void **block = &blocks[random_slot(state)];
        free(*block);
        *block = malloc(random_size(state));
        *(volatile char *)*block = 1;
    }
    self->took_ns = clock_ns() - begin;
    for (int i = 0; i < SLOTS; i++)
        free(blocks[i]);
    return NULL;
}

int main(int argc, char **argv) {
    long threads = count_argument(argc, argv, 1);
    pairs = count_argument(argc, argv, 2);
    if (threads > MOST_THREADS)
        return 2;
    struct worker workers[MOST_THREADS];
    pthread_barrier_init(&all_started, NULL, (unsigned)threads);
    for (long i = 0; i < threads; i++) {
        workers[i].number = (unsigned)i;
        if (pthread_create(&workers[i].handle, NULL, work, &workers[i]) != 0)
            return 1;
    }
    double sum_ns = 0;
    for (long i = 0; i < threads; i++) {
        pthread_join(workers[i].handle, NULL);
        sum_ns += workers[i].took_ns;
    }
    print_result("ns_per_pair", sum_ns / (double)(threads * pairs));
    return 0;
}
