// flags: -O1 -fno-builtin
/* It inherits ten processes whose parents have ended, and waits for them. Each of them kills itself by the signal with the given number. */
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void become_orphan(int signal) {
    int ends[2];
    char byte;
    if (pipe(ends))
        _exit(3);
    pid_t orphan = fork();
    if (orphan)
        _exit(orphan < 0 ? 4 : 0);
    close(ends[1]);
    /* Its parent has the other end for as long as it lives. */
    if (read(ends[0], &byte, 1) == 0)
        kill(getpid(), signal);
    _exit(5);
}

int main(int argc, char **argv) {
    int signal = argc > 1 ? atoi(argv[1]) : SIGKILL;
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
        return 1;
    for (int i = 0; i < 10; i++) {
        pid_t child = fork();
        if (child < 0)
            return 2;
        if (child == 0)
            become_orphan(signal);
    }
    while (wait(NULL) > 0)
        ;
    return 0;
}
