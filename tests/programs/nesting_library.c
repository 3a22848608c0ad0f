// flags: -O1 -fno-builtin -shared -fPIC
/* An allocator as small ones are written: all of its functions are built on its own malloc and free, which it calls as any library calls
 * functions, through the dynamic linker. A signal handler may interrupt it, and call it. No block is used again. */
#include <errno.h>
#include <stddef.h>
#include <string.h>

static char memory[1ul << 30] __attribute__((aligned(16)));
static size_t used;

size_t malloc_usable_size(void *block) { return block ? ((size_t *)block)[-2] : 0; }

void *malloc(size_t size) {
    size = (size + 15) & ~(size_t)15;
    size_t at = __atomic_fetch_add(&used, size + 16, __ATOMIC_RELAXED);
    if (at + size + 16 > sizeof memory) {
        errno = ENOMEM;
        return NULL;
    }
    *(size_t *)(memory + at) = size;
    return memory + at + 16;
}

void free(void *block) { (void)block; }

void *calloc(size_t count, size_t size) {
    void *block = malloc(count * size);
    if (block)
        memset(block, 0, count * size);
    return block;
}

void *realloc(void *block, size_t size) {
    void *fresh = malloc(size);
    if (block && fresh) {
        size_t before = malloc_usable_size(block);
        memcpy(fresh, block, before < size ? before : size);
        free(block);
    }
    return fresh;
}

void *memalign(size_t align, size_t size) {
    (void)align;
    return malloc(size);
}

int posix_memalign(void **place, size_t align, size_t size) {
    void *block = memalign(align, size);
    if (!block)
        return ENOMEM;
    *place = block;
    return 0;
}

void *aligned_alloc(size_t align, size_t size) { return memalign(align, size); }

void free_sized(void *block, size_t size) {
    (void)size;
    free(block);
}
