// flags: -O1 -fno-builtin -shared -fPIC
/* The C library's realloc, in the middle of which a signal comes if the program has asked for that. */
#include <signal.h>
#include <stddef.h>

int realloc_signals;
void *__libc_realloc(void *block, size_t size);

void *realloc(void *block, size_t size) {
    if (realloc_signals)
        raise(SIGUSR1);
    return __libc_realloc(block, size);
}
