// flags: -O1 -fno-builtin -shared -fPIC
/* reallocarray as the C library has it, by realloc, but a signal arrives in the middle of it. */
#include <signal.h>
#include <stdlib.h>

void *reallocarray(void *block, size_t count, size_t size) {
    raise(SIGUSR1);
    return realloc(block, count * size);
}
