// flags: -O1 -fno-builtin
/* A signal every hundred microseconds, whose handler writes, while the program allocates and writes. */
#include "witness.h"
#include <signal.h>
#include <sys/time.h>

static int null;
static unsigned long alarms;

static void on_alarm(int signal) {
    (void)signal;
    int before = errno;
    MUST(MOVE(write, 11, write(null, "from signal", 11)) == 11);
    MUST(MOVE(write, 3, write(-1, "bad", 3)) < 0 && errno == EBADF);
    MUST(MOVE(read, 2, read(-1, &before, 2)) < 0 && errno == EBADF);
    alarms++;
    errno = before;
}

int main(void) {
    null = (int)TRY(open, open("/dev/null", O_WRONLY));
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    MUST(!TRY(sigaction, sigaction(SIGALRM, &action, NULL)));
    struct itimerval often = {{0, 100}, {0, 100}};
    MUST(!setitimer(ITIMER_REAL, &often, NULL));
    for (unsigned long i = 0; alarms < 5000; i++) {
        void *block = make(i % 2000);
        errno = 0;
        MUST(MOVE(write, 7, write(null, "program", 7)) == 7);
        MUST(errno == 0);
        void *moved = RESIZE(realloc, block, i % 3000 + 1, realloc(block, i % 3000 + 1));
        MUST(MOVE(write, 3, write(-1, "bad", 3)) < 0 && errno == EBADF);
        drop(moved);
    }
    struct itimerval never = {{0, 0}, {0, 0}};
    MUST(!setitimer(ITIMER_REAL, &never, NULL));
    tell();
    return 0;
}
