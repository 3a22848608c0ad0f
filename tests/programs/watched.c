// flags: -g -O1
// Does what its arguments say, says so, and does it once more for each line of its standard input: so many writes of ten bytes to
// /dev/null, and so many blocks of 1,000 bytes, which it keeps.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

__attribute__((noinline)) static void keep(int blocks) {
    for (int number = 0; number < blocks; number++) {
        char *block = malloc(1000);
        if (!block) abort();
        block[0] = 1;
        __asm__ volatile("" : : "r"(block) : "memory");
    }
}

int main(int count, char **arguments) {
    if (count != 3) return 2;
    int null = open("/dev/null", O_WRONLY);
    char line[64];
    do {
        for (int number = 0; number < atoi(arguments[1]); number++)
            if (write(null, "0123456789", 10) != 10) return 1;
        keep(atoi(arguments[2]));
        if (write(1, "done\n", 5) != 5) return 1;
    } while (fgets(line, sizeof line, stdin));
    return 0;
}
