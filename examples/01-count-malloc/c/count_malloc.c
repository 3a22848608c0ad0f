/* Step 1: count the program's calls of malloc, and say at its end how many they were. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "../../common/c/say.h"

static _Atomic unsigned long calls;

/* What the program gets when it calls malloc: this library was loaded before libc. */
void *malloc(size_t size)
{
    void *(*next)(size_t);

    atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed);
    /* libc comes after us and defines malloc, so the pointer is not null. ISO C has no cast from a pointer
       to data to one to a function; POSIX has this way. */
    *(void **)&next = dlsym(RTLD_NEXT, "malloc");
    return next(size);
}

/* The dynamic linker calls it when the program exits. */
__attribute__((destructor)) static void at_exit(void)
{
    say("malloc was called %lu times", calls);
}
