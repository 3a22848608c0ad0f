// flags: -O1
/* Ends at once. Its child continues for a while, and makes no call that Weir sees. */
#include <time.h>
#include <unistd.h>

int main(void) {
    if (fork() != 0) return 0;
    struct timespec begun, now;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    do clock_gettime(CLOCK_MONOTONIC, &now);
    while (now.tv_sec - begun.tv_sec < 2);
    _exit(0);
}
