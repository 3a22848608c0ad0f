// flags: -O0 -fno-builtin
// Allocates, and ends with 0.
#include <stdlib.h>

int main(void)
{
    for (int i = 1; i <= 100; i++)
        free(malloc(i));
    return 0;
}
