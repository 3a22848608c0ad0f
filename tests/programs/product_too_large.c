// flags: -g -O0 -fno-builtin -fsanitize=leak
/* Asks for a product that is too large, which LeakSanitizer reports, unlike the C library. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdlib.h>

int main(void) {
    volatile size_t count = SIZE_MAX / 2;
    return reallocarray(NULL, count, 16) == NULL ? 0 : 1;
}
