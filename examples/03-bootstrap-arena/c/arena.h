/* Memory for the moments before the real allocator is known: a piece of the library's own data, handed out
   from its front. Nothing is ever handed out twice, so that every block is zero, as calloc promises. */
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ARENA_BYTES = 4096, ARENA_ALIGN = 16 };

static _Alignas(16) unsigned char arena[ARENA_BYTES];
static _Atomic size_t arena_used;

/* A zeroed block of `size` bytes, aligned as malloc's are; NULL when the arena is full. */
static void *arena_alloc(size_t size)
{
    /* More than all is too much; said first, since the sums below are right for less only. */
    if (size > ARENA_BYTES)
        return NULL;
    /* The size is kept before the block: realloc must know how much to copy. A block of no bytes gets some
       all the same, or its pointer could be one past the arena's end. */
    size_t room = size == 0 ? 1 : size;
    size_t whole = (room + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN + ARENA_ALIGN;
    size_t start = arena_used;
    do {
        if (whole > ARENA_BYTES - start)
            return NULL;
    } while (!atomic_compare_exchange_weak(&arena_used, &start, start + whole));
    *(size_t *)(arena + start) = size;
    return arena + start + ARENA_ALIGN;
}

/* Did the pointer come from here? To be asked for ever: it may be freed at any time later. */
static bool arena_owns(const void *pointer)
{
    return (uintptr_t)pointer - (uintptr_t)arena < ARENA_BYTES;
}

/* The size that a block of the arena was asked for with. */
static size_t arena_size(const void *block)
{
    return *(const size_t *)((const unsigned char *)block - ARENA_ALIGN);
}
