// flags: -O1 -fno-builtin
/* Calls every function of an allocator a thousand times, and keeps some blocks. Prints how many bytes and blocks it keeps. */
#include <dlfcn.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

enum { TIMES = 1000 };

static long blocks, bytes;

static void keep(void *block) {
    if (!block)
        exit(3);
    blocks++;
    bytes += (long)malloc_usable_size(block);
}

int main(void) {
    void (*free_sized)(void *, size_t) = (void (*)(void *, size_t))dlsym(RTLD_DEFAULT, "free_sized");
    /* stdio allocates its buffer. */
    setvbuf(stdout, NULL, _IONBF, 0);
    for (int i = 0; i < TIMES; i++) {
        void *block = NULL;
        free(calloc(10, 100));
        keep(calloc(1, 24));
        free(realloc(NULL, 500));
        keep(realloc(realloc(malloc(8), 700), 300));
        /* The same size. */
        free(realloc(realloc(NULL, 64), 64));
        if (posix_memalign(&block, 64, 100))
            return 3;
        keep(block);
        free(aligned_alloc(64, 128));
        free(memalign(64, 192));
        free(NULL);
        block = malloc(40);
        if (free_sized)
            free_sized(block, 40);
        else
            free(block);
    }
    printf("%ld blocks, %ld bytes\n", blocks, bytes);
    return 0;
}
