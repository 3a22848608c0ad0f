// flags: -O1
/* Ends with `count` streams of each kind that the C library has to handle at exit: with bytes to write, with wide
 * characters to write, with bytes that were not read. Also with some for which it makes no system call. */
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>

int main(int argc, char **argv) {
    int count = argc > 1 ? atoi(argv[1]) : 1;
    for (int i = 0; i < count; i++) {
        char name[32], memory[16];
        snprintf(name, sizeof name, "bytes%d", i);
        FILE *bytes = fopen(name, "w+");
        snprintf(name, sizeof name, "wide%d", i);
        FILE *wide = fopen(name, "w");
        FILE *unread = fopen(argv[0], "r");
        FILE *idle = fopen(name, "r");
        FILE *none = fmemopen(memory, sizeof memory, "w");
        if (!bytes || !wide || !unread || !idle || !none)
            return 99;
        if (fputs("twelve bytes", bytes) < 0 || fputwc(L'x', wide) != L'x' || fgetc(unread) == EOF)
            return 98;
        fputc('y', none);
    }
    return 4;
}
