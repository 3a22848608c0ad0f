// flags: -O1 -fno-builtin -shared -fPIC
/* Allocates and writes in its constructor, which runs before that of a preloaded library. */
#include "witness.h"

__attribute__((constructor)) static void constructor(void) {
    for (size_t i = 0; i < 20; i++)
        MUST(make(50 + i));
    drop(MAKE(calloc, 300, calloc(3, 100)));
    MUST(MOVE(write, 12, write(1, "constructor\n", 12)) == 12);
}

void add_early_account(struct tally *sums, long *bytes, long *blocks, long *peak) {
    const unsigned long *from = (const unsigned long *)tallies;
    unsigned long *to = (unsigned long *)sums;
    for (size_t i = 0; i < sizeof tallies / sizeof *from; i++)
        to[i] += from[i];
    *bytes += live_bytes;
    *blocks += live_blocks;
    *peak += peak_bytes;
}
