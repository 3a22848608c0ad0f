// flags: -O1
// Makes a block by pvalloc, which some allocators do not define: then it is the C library's block, and the others are not.
#define _GNU_SOURCE
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

int main(void) {
    char *volatile page = pvalloc(128);
    char *volatile block = malloc(128);
    if (page == NULL || block == NULL) return 1;
    page[0] = block[0] = 1;
    free(block);
    puts("made");
    return 0;
}
