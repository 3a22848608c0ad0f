// flags: -O1 -fno-builtin -shared -fPIC
/* Loaded and unloaded by loads_plugins; allocates in its constructor and frees in its destructor. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static void *block;

__attribute__((constructor)) static void constructor(void) { block = aligned_alloc(64, 640); }
__attribute__((destructor)) static void destructor(void) {
    (void)!pwrite(-1, "unload", 6, 0);
    free(block);
}

void *work(void) {
    (void)!pwrite(-1, "work", 4, 0);
    return aligned_alloc(64, 6400);
}
