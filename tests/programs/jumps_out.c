// flags: -O1 -fno-builtin
/* Signal handlers that write, and then jump out of the read or write that they interrupted. */
#include "witness.h"
#include <setjmp.h>
#include <signal.h>
#include <sys/time.h>

static int null;
static sigjmp_buf place;

static void on_alarm(int signal) {
    (void)signal;
    MUST(MOVE(write, 4, write(null, "jump", 4)) == 4);
    siglongjmp(place, 1);
}

int main(void) {
    int pipes[2];
    char byte;
    null = (int)TRY(open, open("/dev/null", O_WRONLY));
    MUST(!TRY(pipe, pipe(pipes)));
    struct sigaction action = {.sa_handler = on_alarm};
    MUST(!TRY(sigaction, sigaction(SIGALRM, &action, NULL)));
    for (volatile int i = 0; i < 300; i++) {
        drop(make(100));
        if (!sigsetjmp(place, 1)) {
            struct itimerval once = {{0, 0}, {0, 500}};
            MUST(!setitimer(ITIMER_REAL, &once, NULL));
            note_call(DOES_read);
            note_size(DOES_read, 1);
            read(pipes[0], &byte, 1); /* never returns */
            MUST(0);
        }
        void *array = RESIZE(reallocarray, NULL, 300, reallocarray(NULL, 3, 100));
        drop(array);
        MUST(MOVE(read, 1, read(-1, &byte, 1)) < 0);
    }
    tell();
    return 0;
}
