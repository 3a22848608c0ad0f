// flags: -O1
/* Prints on two streams and lets exit write the text. Also leaves half of its input unread. */
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    (void)argv;
    FILE *other = fopen("other", "w");
    if (!other || fputs("twelve bytes", other) < 0)
        return 99;
    printf("%d %c\n", 12345, getchar());
    if (argc > 1)
        exit(3);
    return 3;
}
