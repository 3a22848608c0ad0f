// flags: -O1 -fno-builtin -shared -fPIC
/* Allocates and frees blocks by the malloc that it is bound to. */
#include <stdlib.h>

void *made_here(size_t size) { return malloc(size); }

void freed_here(void *block) { free(block); }
