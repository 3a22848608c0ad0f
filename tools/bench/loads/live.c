/* live BLOCKS PAIRS: the step of pairs.c with BLOCKS blocks live, at random places.
 *
 * What a tool keeps for each block is then not in the processor's caches, and neither is the heap: the figure is of memory. */
#include "harness.h"

#include <stdint.h>

int main(int argc, char **argv) {
    long count = count_argument(argc, argv, 1);
    long pairs = count_argument(argc, argv, 2);
    void **blocks = calloc((size_t)count, sizeof *blocks);
    if (blocks == NULL)
        return 1;
    unsigned state = 1;
    for (long i = 0; i < count; i++) {
        state = next_random(state);
        blocks[i] = malloc(random_size(state));
    }
    double begin = clock_ns();
    for (long i = 0; i < pairs; i++) {
        state = next_random(state);
        void **block = &blocks[(uint64_t)state * (uint64_t)count >> 32];
        free(*block);
        *block = malloc(random_size(state));
        *(volatile char *)*block = 1;
    }
    print_result("ns_per_pair", (clock_ns() - begin) / (double)pairs);
    return 0;
}
