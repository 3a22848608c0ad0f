// flags: -O1 -fno-builtin
/* Allocates and writes in atexit handlers and destructors, and prints its account in the very last destructor. */
#include "witness.h"

static void at_exit(void) {
    drop(make(1000));
    MUST(MOVE(write, 7, write(1, "atexit\n", 7)) == 7);
}

__attribute__((destructor(200))) static void destructor(void) {
    MUST(make(2000));
    MUST(MOVE(write, 11, write(1, "destructor\n", 11)) == 11);
}

__attribute__((destructor(101))) static void last(void) { tell(); }

int main(void) {
    for (int i = 0; i < 20; i++)
        MUST(!atexit(at_exit));
    return 4;
}
