// flags: -O1 -fno-builtin
/* A timer's handler jumps out of malloc, or out of write, again and again. Then, with the signal blocked, a million calls more, which
 * must all be counted at their site. Its allocator (nesting_library) bears that; so does the kernel. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

static sigjmp_buf back;
static volatile int jumps;

static void handler(int signal) {
    (void)signal;
    jumps++;
    siglongjmp(back, 1);
}

int main(int argc, char **argv) {
    int writes = argc > 1 && !strcmp(argv[1], "write");
    int out = open("/dev/null", O_WRONLY);
    struct sigaction action = {.sa_handler = handler};
    sigaction(SIGALRM, &action, NULL);
    struct itimerval often = {{0, 100}, {0, 100}}, never = {{0, 0}, {0, 0}};
    volatile long calm = 0;
    /* The place to jump to is set once, before the first signal: the handler must not find it missing, or half written. */
    if (sigsetjmp(back, 1) == 0)
        setitimer(ITIMER_REAL, &often, NULL);
    /* The calls are made at one place, so that a later one has the stack pointer of the one that was left. */
    while (calm < 1000000) {
        if (jumps >= 300 && calm == 0) {
            setitimer(ITIMER_REAL, &never, NULL);
            signal(SIGALRM, SIG_IGN);
            calm = 1;
        }
        if (calm)
            calm++;
        if (writes) {
            if (write(out, "x", 1) != 1)
                return 3;
        } else {
            free(malloc(8));
        }
    }
    return 0;
}
