// flags: -O1 -fno-builtin
/* A program with an allocator of its own, which lacks what few programs call: reallocarray, which the C library makes of the
 * program's realloc, and free_sized, which the program calls where there is one. Its blocks are in memory of its own, and it dies of
 * a block that is not. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MUST(condition) do { if (!(condition)) { dprintf(2, "%d: %s\n", __LINE__, #condition); _exit(9); } } while (0)

static _Alignas(16) char heap[1 << 22];
static size_t used;
static int is_inside(const void *block) { return (const char *)block >= heap && (const char *)block < heap + sizeof heap; }

void *malloc(size_t bytes) {
    size_t *block = (void *)(heap + used);
    if (bytes > sizeof heap - used - 32) {
        errno = ENOMEM;
        return NULL;
    }
    used += (bytes + 31) & ~(size_t)15;
    *block = bytes;
    return (char *)block + 16;
}

void free(void *block) { MUST(!block || is_inside(block)); }

void *calloc(size_t count, size_t bytes) { return malloc(count * bytes); }

void *realloc(void *block, size_t bytes) {
    char *made = malloc(bytes);
    if (made && block) {
        MUST(is_inside(block));
        size_t before = ((size_t *)block)[-2];
        memcpy(made, block, before < bytes ? before : bytes);
    }
    return made;
}

extern void free_sized(void *, size_t) __attribute__((weak));
extern void free_aligned_sized(void *, size_t, size_t) __attribute__((weak));

int main(void) {
    char *text = reallocarray(NULL, 3, 10);
    MUST(is_inside(text));
    strcpy(text, "kept");
    text = reallocarray(text, 1000, 10);
    MUST(is_inside(text) && !strcmp(text, "kept"));
    errno = 0;
    MUST(!reallocarray(text, SIZE_MAX, 2) && errno == ENOMEM);
    errno = 0;
    MUST(!reallocarray(text, 1 << 10, 1 << 20) && errno == ENOMEM && !strcmp(text, "kept"));
    if (free_sized)
        free_sized(text, 10000);
    else
        free(text);
    text = malloc(10);
    if (free_aligned_sized)
        free_aligned_sized(text, 16, 10);
    else
        free(text);
    text = malloc(10);
    MUST(is_inside(text = reallocarray(text, 10, 10)));
    free(text);
    puts("all inside");
    return 7;
}
