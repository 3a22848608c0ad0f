/* Step 3, the wrong way: hooks that trust dlsym to need no memory. */
#define _GNU_SOURCE
#include "../../common/c/next.h"

static struct next next_malloc = {.name = "malloc"};
static struct next next_calloc = {.name = "calloc"};

void *malloc(size_t size)
{
    void *(*real)(size_t);

    say("malloc: entered");
    /* The first call asks dlsym for the real malloc. If dlsym calls calloc ... */
    *(void **)&real = next_address(&next_malloc);
    return real(size);
}

void *calloc(size_t count, size_t size)
{
    void *(*real)(size_t, size_t);

    say("calloc: entered");
    /* ... we are here, and ask dlsym for the real calloc. It calls calloc first. */
    *(void **)&real = next_address(&next_calloc);
    return real(count, size);
}
