/* Finds the function that a hook stands before, once, and keeps it. The file that includes it has defined
   _GNU_SOURCE, for RTLD_NEXT. */
#ifndef NEXT_H
#define NEXT_H

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "say.h"

/* The definition of a function that comes next after this library's own. */
struct next {
    const char *name;
    void *_Atomic found;
};

/* Its address. Two threads may both look it up; they find the same. */
static void *next_address(struct next *next)
{
    void *found = atomic_load_explicit(&next->found, memory_order_relaxed);
    if (found != NULL)
        return found;
    found = dlsym(RTLD_NEXT, next->name);
    if (found == NULL) {
        say("no library defines \"%s\" after us", next->name);
        abort();
    }
    atomic_store_explicit(&next->found, found, memory_order_relaxed);
    return found;
}

#endif
