// flags: -O1 -fno-builtin
/* Prints the distances of its blocks from the first, and the C library's figures of its heap. So any additional
 * allocation from that heap shows. */
#include "witness.h"

int main(void) {
    static char *blocks[3000];
    char *first = malloc(1);
    unsigned long random = 1, sum = 0;
    for (int i = 0; i < 30000; i++) {
        random = random * 6364136223846793005UL + 1;
        int which = (int)(random >> 40) % 3000;
        blocks[which] = realloc(blocks[which], (random >> 52) + 1);
        sum = sum * 31 + (unsigned long)(blocks[which] - first);
        (void)!write(1, "", 0);
        (void)!read(-1, &sum, 1);
    }
    struct mallinfo2 info = mallinfo2();
    say("%lx, %zu in use, %zu free, %zu chunks, %zu arena\n", sum, info.uordblks, info.fordblks,
        info.ordblks, info.arena);
    return 0;
}
