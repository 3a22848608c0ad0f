// flags: -O1
/* Says what it would have preloaded, and exits with 4. Also compiled for 32 bits, and against another C library. */
#include <stdio.h>
#include <stdlib.h>

int main(void) {
    const char *preload = getenv("LD_PRELOAD");
    printf("preload %s\n", preload ? preload : "nothing");
    return 4;
}
