// flags: -O1 -fno-builtin -shared -fPIC
/* An allocator without malloc_usable_size. The size of a block is stored before it, and no block is used again. */
#include <string.h>
#include <unistd.h>
#include <stddef.h>

static char memory[64 << 20] __attribute__((aligned(16)));
static size_t used;

void *malloc(size_t size) {
    size_t at = __atomic_fetch_add(&used, (size + 31) & ~(size_t)15, __ATOMIC_RELAXED);
    if (at + size + 32 > sizeof memory)
        return NULL;
    *(size_t *)(memory + at) = size;
    return memory + at + 16;
}

void free(void *block) { (void)block; }

void *calloc(size_t count, size_t size) { return malloc(count * size); }

void *realloc(void *block, size_t size) {
    void *fresh = malloc(size);
    if (block && fresh) {
        size_t before = *(size_t *)((char *)block - 16);
        memcpy(fresh, block, before < size ? before : size);
    }
    return fresh;
}
