// flags: -shared -fPIC -g -O1 -fexceptions -fno-optimize-sibling-calls
/* A library that is not compiled with ThreadSanitizer. It keeps numbers in registers while it waits. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

long kept;

struct numbers {
    long a, b, c, d, e;
};

__attribute__((noinline)) static long opaque(long number) {
    __asm__ volatile("" : "+r"(number));
    return number;
}

char *makes_elsewhere(void) {
    char *made = malloc(64);
    if (made == NULL)
        abort();
    return made;
}

void reads_elsewhere(char *into) {
    int file = open("/dev/zero", O_RDONLY);
    if (read(file, into, 64) != 64)
        abort();
    close(file);
}

/* Between the end of its frame and its return, there may be another instruction. */
__attribute__((optimize("O2"))) int reads_and_adds(int file, char *into) {
    int bytes = read(file, into, 4);
    return bytes + 1;
}

/* Ends with a call to free, and so without code of its own that returns, if the compiler may. */
__attribute__((optimize("optimize-sibling-calls"))) void frees_elsewhere(char *block) { free(block); }

static void keep(struct numbers *numbers) {
    kept = numbers->a * 10000 + numbers->b * 1000 + numbers->c * 100 + numbers->d * 10 + numbers->e;
}

/* Waits until it is cancelled, and has something to do then. */
void waits_with_a_handler(int pipe) {
    long a = opaque(1), b = opaque(2), c = opaque(3), d = opaque(4), e = opaque(5);
    __attribute__((cleanup(keep))) struct numbers numbers = {0, 0, 0, 0, 0};
    char byte;
    numbers = (struct numbers){opaque(a), opaque(b), opaque(c), opaque(d), opaque(e)};
    while (read(pipe, &byte, 1) == 1)
        numbers = (struct numbers){opaque(a), opaque(b), opaque(c), opaque(d), opaque(e)};
}

/* Has nothing to do itself, but has kept the registers of whoever called it. */
void waits_without(int pipe) {
    long a = opaque(6), b = opaque(7), c = opaque(8), d = opaque(9), e = opaque(10);
    char byte;
    while (read(pipe, &byte, 1) == 1)
        opaque(a + b + c + d + e);
}
