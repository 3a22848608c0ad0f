// flags: -O1 -fno-builtin
/* Six children at once: each naps a while and kills itself. Tells how long each was there, at most: from before it was made until it was
 * waited for. */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CHILDREN = 6 };

static long long now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

int main(void) {
    long long made[CHILDREN];
    pid_t children[CHILDREN];
    for (int i = 0; i < CHILDREN; i++) {
        made[i] = now_ns();
        children[i] = fork();
        if (children[i] < 0)
            return 1;
        if (children[i] == 0) {
            usleep(600000 + 150000 * i);
            kill(getpid(), SIGKILL);
        }
    }
    for (int left = CHILDREN; left > 0; left--) {
        pid_t gone = wait(NULL);
        for (int i = 0; i < CHILDREN; i++)
            if (children[i] == gone)
                printf("%d %lld\n", (int)gone, now_ns() - made[i]);
    }
    return 0;
}
