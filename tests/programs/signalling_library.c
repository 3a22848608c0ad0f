// flags: -O1 -fno-builtin -shared -fPIC
/* realloc as the C library has it, but once it is told to, a signal arrives in the middle of it. */
#include <signal.h>
#include <stddef.h>

int realloc_signals;
void *__libc_realloc(void *block, size_t size);

void *realloc(void *block, size_t size) {
    if (realloc_signals)
        raise(SIGUSR1);
    return __libc_realloc(block, size);
}
