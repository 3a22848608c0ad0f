/* pairs THREADS PAIRS: what a malloc+free pair costs.
 *
 * Each thread keeps 64 blocks; a step frees one of them and allocates another of 16 to 527 bytes
 * in its place, and writes to it. Prints the wall time of one step, in ns: with as many cores as
 * threads it is the same for every number of threads, if nothing is shared. */
#include "harness.h"

#include <pthread.h>

enum { MOST_THREADS = 64 };

static long pairs;

static void *work(void *argument) {
    unsigned state = 12345 + *(unsigned *)argument;
    void *blocks[SLOTS] = {0};
    for (long i = 0; i < pairs; i++) {
        state = next_random(state);
        void **block = &blocks[random_slot(state)];
        free(*block);
        *block = malloc(random_size(state));
        *(volatile char *)*block = 1;
    }
    for (int i = 0; i < SLOTS; i++)
        free(blocks[i]);
    return NULL;
}

int main(int argc, char **argv) {
    long threads = count_argument(argc, argv, 1);
    pairs = count_argument(argc, argv, 2);
    if (threads > MOST_THREADS)
        return 2;
    pthread_t handles[MOST_THREADS];
    unsigned numbers[MOST_THREADS];
    double begin = clock_ns();
    for (long i = 0; i < threads; i++) {
        numbers[i] = (unsigned)i;
        if (pthread_create(&handles[i], NULL, work, &numbers[i]) != 0)
            return 1;
    }
    for (long i = 0; i < threads; i++)
        pthread_join(handles[i], NULL);
    print_result("ns_per_pair", (clock_ns() - begin) / (double)pairs);
    return 0;
}
