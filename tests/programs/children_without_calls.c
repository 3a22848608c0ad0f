// flags: -O1 -fno-builtin
/* Children that end before they have made a call that a library could see: five with status 3, two by SIGKILL, and one with status 0. */
#include "witness.h"
#include <signal.h>

static void child(int status) {
    pid_t pid = (pid_t)TRY(fork, fork());
    MUST(pid >= 0);
    if (pid == 0 && status < 0)
        system_call(SYS_kill, system_call(SYS_getpid, 0, 0, 0, 0, 0, 0), SIGKILL, 0, 0, 0, 0);
    if (pid == 0)
        system_call(SYS_exit_group, status, 0, 0, 0, 0, 0);
    MUST(waitpid(pid, NULL, 0) == pid);
}

int main(void) {
    for (int i = 0; i < 5; i++)
        child(3);
    child(-1);
    child(-1);
    child(0);
    tell();
    return 0;
}
