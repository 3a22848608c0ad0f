// flags: -O1
/* Prints what is preloaded, and exits with 4. Also compiled for 32 bits, and for another C library. */
#include <stdio.h>
#include <stdlib.h>

int main(void) {
    const char *preload = getenv("LD_PRELOAD");
    printf("preload %s\n", preload ? preload : "nothing");
    return 4;
}
