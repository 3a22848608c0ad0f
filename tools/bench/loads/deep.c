/* deep DEPTH PAIRS: the step of pairs.c at the bottom of DEPTH frames of recursion.
 *
 * A tool that takes a stack with each call pays for every frame; one that does not pays what it
 * pays in pairs.c. The descent itself is in the figure, so a ratio is of this load's own baseline. */
#include "harness.h"

static void *blocks[SLOTS];

__attribute__((noinline)) static int step(unsigned state) {
    unsigned slot = random_slot(state);
    free(blocks[slot]);
    blocks[slot] = malloc(random_size(state));
    return (int)slot;
}

__attribute__((noinline)) static int descend(long depth, unsigned state) {
    if (depth == 0)
        return step(state);
    int result = descend(depth - 1, state) + 1;
    /* The result is used after the call, so the frame stays for as long as the call lasts. */
    __asm__ volatile("" : "+r"(result));
    return result;
}

int main(int argc, char **argv) {
    long depth = count_argument(argc, argv, 1);
    long pairs = count_argument(argc, argv, 2);
    unsigned state = 1;
    double begin = clock_ns();
    for (long i = 0; i < pairs; i++) {
        state = next_random(state);
        descend(depth, state);
    }
    print_result("ns_per_pair", (clock_ns() - begin) / (double)pairs);
    return 0;
}
