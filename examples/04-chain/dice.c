/* Asks for one random number. Who answers? */
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
    printf("Good: the number is %d\n", rand());
    return fflush(stdout) == 0 ? 0 : 1;
}
