// flags: -O1 -fno-builtin -shared -fPIC
/* Makes and frees blocks by whatever malloc it is bound to. */
#include <stdlib.h>

void *made_here(size_t size) { return malloc(size); }

void freed_here(void *block) { free(block); }
