// flags: -O1 -fno-builtin -shared -fPIC
/* Its constructor runs before that of a preloaded library, and makes the first call that is interposed from inside a
   function of the C library which holds a lock: the one that its first argument names. */
#define _GNU_SOURCE
#include <locale.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static void nothing(void) {}

/* Beyond what their tables have room for at first: they allocate with their locks held. */
enum { MANY = 100 };

__attribute__((constructor)) static void constructor(int argc, char **argv) {
    const char *from = argc > 1 ? argv[1] : "";
    for (int i = 0; i < MANY; i++) {
        if (!strcmp(from, "newlocale"))
            newlocale(LC_ALL_MASK, "C.UTF-8", 0);
        if (!strcmp(from, "atexit"))
            atexit(nothing);
        if (!strcmp(from, "at_quick_exit"))
            at_quick_exit(nothing);
        if (!strcmp(from, "pthread_atfork"))
            pthread_atfork(nothing, nothing, nothing);
    }
}

void be_loaded(void) {}
