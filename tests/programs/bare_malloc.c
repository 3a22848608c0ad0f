// flags: -O1 -fno-builtin @bare_malloc_library
/* Works with the allocator of its library. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void) {
    char *text = malloc(6);
    strcpy(text, "block");
    for (int i = 1; i <= 1000; i++)
        text = realloc(text, 6 + 10 * i);
    puts(text);
    free(text);
    free(calloc(3, 1000));
    return 0;
}
