// flags: -g -O0 -fno-builtin -fsanitize=leak
/* Leaks a block in each of some functions. LeakSanitizer says at the end which functions leak. */
#define _GNU_SOURCE
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEPT 64
/* What is leaked is here no longer. */
static void *volatile place;

#define LEAK(name, block) \
    __attribute__((noinline)) static void name(void) { place = (block); }

static void *by_posix_memalign_of(size_t size) {
    void *block = NULL;
    return posix_memalign(&block, 64, size) == 0 ? block : NULL;
}

static void *line_of(const char *text) {
    char *line = NULL;
    size_t size = 0;
    FILE *file = fmemopen((void *)text, strlen(text), "r");
    if (getline(&line, &size, file) < 0)
        abort();
    fclose(file);
    return line;
}

LEAK(leaks_malloc, malloc(101))
LEAK(leaks_calloc, calloc(3, 34))
LEAK(leaks_realloc, realloc(malloc(1), 103))
LEAK(leaks_reallocarray, reallocarray(NULL, 2, 52))
LEAK(leaks_memalign, memalign(64, 105))
LEAK(leaks_aligned_alloc, aligned_alloc(64, 128))
LEAK(leaks_posix_memalign, by_posix_memalign_of(107))
LEAK(leaks_valloc, valloc(108))
LEAK(leaks_line, line_of("a line\n"))
LEAK(leaks_copy, strdup("a string"))

/* The last addresses may be left in registers and on the stack. */
__attribute__((noinline)) static void forget(void) {
    volatile char junk[8192];
    for (size_t at = 0; at < sizeof junk; at++)
        junk[at] = 0;
    for (int round = 0; round < KEPT; round++)
        place = malloc(16), free(place);
    place = NULL;
}

int main(void) {
    leaks_malloc();
    leaks_calloc();
    leaks_realloc();
    leaks_reallocarray();
    leaks_memalign();
    leaks_aligned_alloc();
    leaks_posix_memalign();
    leaks_valloc();
    leaks_line();
    leaks_copy();
    forget();
    return 0;
}
