/* Allocates, and then works on a block that may be older than the real malloc: the name that
   dlsym looked up last (if dlsym is the one that keeps it). */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

extern char *take_last_name(void) __attribute__((weak));

int main(void)
{
    free(malloc(10));

    char *name = take_last_name ? take_last_name() : NULL;
    if (name != NULL) {
        size_t before = malloc_usable_size(name);
        name = realloc(name, 10000);
        if (name == NULL)
            return 1;
        printf("%s: grown from %zu to 10000 bytes\n", name, before);
        free(name);
    }
    puts("Good");
    return fflush(stdout) == 0 ? 0 : 1;
}
