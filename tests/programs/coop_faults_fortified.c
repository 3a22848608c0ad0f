// flags: -O2 -D_FORTIFY_SOURCE=2 -D_FILE_OFFSET_BITS=64 -Iinclude -Wno-unused-function -pthread
// The same program, with the names that fortified builds with 64-bit offsets call. Its runtime has only what is
// required: no sleep, one waiter for each descriptor, and stacks that may move.
#define NO_SLEEP
#define FLAGS WEIR_COOP_SHARED_STACKS
#include "coop_faults.c"
