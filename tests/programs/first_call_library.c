// flags: -O1 -fno-builtin -shared -fPIC
/* Its constructor runs before that of a preloaded library. It makes the first interposed call from inside a
 * function of the C library that holds a lock. The first argument names that function. */
#define _GNU_SOURCE
#include <locale.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static void nothing(void) {}

/* More than the C library's tables have room for at first: so they allocate while their locks are held. */
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
