// flags: -O2 -fno-builtin -shared -fPIC
/* Is called instead of the C library's malloc, calloc, realloc and free, and counts. So it also counts the C
 * library's own calls, when it starts and ends threads or loads libraries. A victim that is linked with it prints
 * these counts instead of its own. */
#include "witness.h"

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void __libc_free(void *);

/* The result of malloc_usable_size: the block's bytes beyond its header. A call of that function would have to be
 * counted. */
static long usable_by_header(void *block) {
    size_t header = ((size_t *)block)[-1];
    int mapped = (header & 2) != 0;
    return (long)((header & ~(size_t)7) - (mapped ? 16 : 8));
}

static void made(int function, size_t size, void *block) {
    note_call(function);
    note_size(function, size);
    if (block)
        heap_changed(usable_by_header(block), 1);
    else
        note_error(function, 0);
}

void *malloc(size_t size) {
    void *block = __libc_malloc(size);
    made(DOES_malloc, size, block);
    return block;
}

void *calloc(size_t count, size_t each) {
    void *block = __libc_calloc(count, each);
    made(DOES_calloc, count * each, block);
    return block;
}

void *realloc(void *old, size_t size) {
    if (old)
        heap_changed(-usable_by_header(old), -1);
    void *block = __libc_realloc(old, size);
    made(DOES_realloc, size, block);
    return block;
}

void free(void *block) {
    if (block)
        heap_changed(-usable_by_header(block), -1);
    note_call(DOES_free);
    __libc_free(block);
}

/* An allocator without this function would not be asked for sizes. */
size_t malloc_usable_size(void *block) { return block ? (size_t)usable_by_header(block) : 0; }

void counted(struct tally *into, struct heap *heap) {
    static const int functions[] = {DOES_malloc, DOES_calloc, DOES_realloc, DOES_free};
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        into[functions[i]] = tallies[functions[i]];
    *heap = (struct heap){live_bytes, live_blocks, inherited_bytes, inherited_blocks};
}

/* What was counted before is not the victim's: preloaded libraries did it when they started, or the parent did it,
 * and fork may have copied its notes half written. */
void count_again(void) { begin_again(); }
