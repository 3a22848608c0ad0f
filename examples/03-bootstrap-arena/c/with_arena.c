/* Step 3: hooks that serve dlsym from an arena until it has answered. */
#define _GNU_SOURCE
#include <string.h>

#include "../../common/c/next.h"
#include "arena.h"

static struct next next_malloc = {.name = "malloc"};
static struct next next_calloc = {.name = "calloc"};
static struct next next_realloc = {.name = "realloc"};
static struct next next_free = {.name = "free"};
static struct next next_usable_size = {.name = "malloc_usable_size"};

static _Atomic unsigned long served;
static _Atomic unsigned long came_back;

/* Are the real functions known? All are looked up together: later there is nothing to ask. */
static _Atomic bool is_known;

/* Is this thread asking dlsym at this moment? */
static _Thread_local bool asking;

/* Finds the real functions. False while that is under way: then the caller is dlsym itself. */
static bool known(void)
{
    if (is_known)
        return true;
    if (asking)
        return false;
    asking = true;
    next_address(&next_malloc);
    next_address(&next_calloc);
    next_address(&next_realloc);
    next_address(&next_free);
    next_address(&next_usable_size);
    asking = false;
    is_known = true;
    return true;
}

static void *from_arena(size_t size)
{
    void *block = arena_alloc(size);
    served += block != NULL;
    return block;
}

void *malloc(size_t size)
{
    void *(*real)(size_t);

    if (!known())
        return from_arena(size);
    *(void **)&real = next_address(&next_malloc);
    return real(size);
}

void *calloc(size_t count, size_t size)
{
    void *(*real)(size_t, size_t);

    if (!known()) {
        size_t bytes;
        return __builtin_mul_overflow(count, size, &bytes) ? NULL : from_arena(bytes);
    }
    *(void **)&real = next_address(&next_calloc);
    return real(count, size);
}

void *realloc(void *block, size_t size)
{
    void *(*real)(void *, size_t);

    if (arena_owns(block)) {
        came_back++;
        void *larger = malloc(size);
        if (larger != NULL)
            memcpy(larger, block, arena_size(block) < size ? arena_size(block) : size);
        return larger;
    }
    /* Only a null pointer: what else was there to grow, before the first block was given? */
    if (!known())
        return from_arena(size);
    *(void **)&real = next_address(&next_realloc);
    return real(block, size);
}

void free(void *block)
{
    void (*real)(void *);

    if (arena_owns(block)) {
        came_back++;
        return;
    }
    if (block == NULL || !known())
        return;
    *(void **)&real = next_address(&next_free);
    real(block);
}

size_t malloc_usable_size(void *block)
{
    size_t (*real)(void *);

    if (arena_owns(block))
        return arena_size(block);
    if (block == NULL || !known())
        return 0;
    *(void **)&real = next_address(&next_usable_size);
    return real(block);
}

__attribute__((destructor)) static void at_exit(void)
{
    say("the arena gave %lu blocks; %lu came back", served, came_back);
}
