// flags: -O1 -fno-builtin @printing_library
/* Calls another library's functions with variable arguments: of all kinds, and more than there are registers for. */
#include <stdio.h>
#include <unistd.h>

int main(void) {
    int number = 0, sum = 0;
    for (int round = 0; round < 3; round++) {
        sum += printf("%d %s %g %c %ld\n", round, "text", 2.5, 'c', 1L << 40);
        sum += printf("%d %d %d %d %d %d %d %d %d %d\n", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10);
        sum += printf("%g %g %g %g %g %g %g %g %g %g %d %Lg\n", 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5, 8.5, 9.5, 10.5, 11, 12.5L);
        sum += fprintf(stdout, "%s and %g and %d\n", "one", 0.25, 3);
        sum += dprintf(1, "%x\n", 0xbeef);
        sum += fscanf(stdin, "%d", &number);
    }
    sum += execl("/nowhere", "nowhere", "a", "b", "c", "d", "e", "f", (char *)NULL);
    dprintf(1, "%d %d\n", sum, number);
    return 0;
}
