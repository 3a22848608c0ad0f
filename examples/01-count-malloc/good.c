/* Allocates and frees some blocks (4, or as many as its argument says), and says "Good".
   It knows nothing of the library that is preloaded. */
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    int count = argc > 1 ? atoi(argv[1]) : 4;

    for (int i = 1; i <= count; i++) {
        void *block = malloc(i * 10);
        if (block == NULL)
            return 1;
        free(block);
    }
    puts("Good");
    return fflush(stdout) == 0 ? 0 : 1;
}
