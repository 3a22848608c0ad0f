// flags: -O1 -fno-builtin
/* Makes as many calls as its argument says, the same ones each time: repeats COUNT MICROSECONDS.
 *
 * Blocks of 1,000 bytes, of which every second one stays; a write of 100 bytes for each; and 300 sleeps. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char bytes[100];

__attribute__((noinline)) static void *keep(void) {
    void *block = malloc(1000);
    memset(block, 1, 1000);
    return block;
}

__attribute__((noinline)) static void store(int file) {
    if (write(file, bytes, sizeof bytes) != (ssize_t)sizeof bytes)
        abort();
}

int main(int count, char **arguments) {
    if (count != 3)
        return 2;
    int file = open("stored", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    for (int i = 0; i < atoi(arguments[1]); i++) {
        void *block = keep();
        if (i % 2)
            free(block);
        store(file);
    }
    for (int i = 0; i < 300; i++)
        usleep((unsigned)atoi(arguments[2]));
    return 0;
}
