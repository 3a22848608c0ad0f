// flags: -O1 -fno-builtin @early_library
/* Calls before main, before any constructor, and in the constructor of a library. */
#include "witness.h"

extern void add_early_account(struct tally *, long *, long *, long *);

static void *preinit_block;

static void before_constructors(int argc, char **argv, char **environment) {
    (void)argc, (void)argv, (void)environment;
    MUST(preinit_block = make(111));
    MUST(MOVE(write, 8, write(1, "preinit\n", 8)) == 8);
    char byte;
    MUST(MOVE(read, 1, read(-1, &byte, 1)) < 0);
}

__attribute__((section(".preinit_array"), used)) static void (*preinit)(int, char **, char **) =
    before_constructors;

__attribute__((constructor)) static void constructor(void) { MUST(make(222)); }

int main(void) {
    drop(make(333));
    long of_library = 0, blocks = 0, peak_of_library = 0;
    long first = (long)malloc_usable_size(preinit_block);
    note_call(DOES_malloc_usable_size);
    add_early_account(tallies, &of_library, &blocks, &peak_of_library);
    /* The library's allocations came after the first block and before all others. */
    peak_bytes += of_library;
    if (peak_bytes < first + peak_of_library)
        peak_bytes = first + peak_of_library;
    live_bytes += of_library;
    live_blocks += blocks;
    tell();
    return 0;
}
