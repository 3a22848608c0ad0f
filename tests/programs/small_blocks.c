// flags: -O1
// Makes blocks of at most 8 bytes, and frees a third of them. Fails unless many are at odd multiples of 8, as some allocators
// place them.
#include <stdint.h>
#include <stdlib.h>

enum { MANY = 10000 };
static void *volatile blocks[MANY];

int main(void) {
    int odd = 0;
    for (int i = 0; i < MANY; i++) {
        blocks[i] = malloc(1 + i % 8);
        odd += (uintptr_t)blocks[i] >> 3 & 1;
    }
    for (int i = 0; i < MANY; i += 3) free(blocks[i]);
    return odd < MANY / 4;
}
