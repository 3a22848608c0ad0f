// flags: -O1 -fno-builtin -D_GNU_SOURCE
/* A signal handler forks in the middle of a call that makes a child as vfork does, and returns. What goes on in the handler's child
 * makes such a child, too, and that makes the first call in this memory: it counts there. Needs forking_library.c. */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define MUST(fact) ((fact) ? (void)0 : (perror(#fact), _exit(99)))

enum { NEVER, BEFORE };
extern int signal_comes __attribute__((weak));

static volatile sig_atomic_t is_child;
static volatile pid_t forked;
static void forks(int number) {
    (void)number;
    pid_t child = fork();
    MUST(child >= 0);
    if (child)
        forked = child;
    else
        is_child = 1;
}

static void await(pid_t child, int expected) {
    int status;
    MUST(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == expected);
}

static int calls(void *unused) {
    (void)unused;
    lseek(-1, 0, SEEK_CUR);
    return 9;
}

static char stack[65536] __attribute__((aligned(16)));

int main(void) {
    MUST(&signal_comes && signal(SIGUSR1, forks) != SIG_ERR);
    for (int i = 0; i < 20; i++) {
        signal_comes = BEFORE;
        pid_t child = clone(calls, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
        MUST(child > 0);
        await(child, 9);
        if (is_child) {
            MUST(access("/", F_OK) == 0);
            _exit(42);
        }
        await(forked, 42);
        dprintf(1, "%d\n", (int)forked);
    }
    return 0;
}
