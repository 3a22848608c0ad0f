// flags: -O1 -fno-builtin
/* Starts the program of its first argument in every way except fork, and waits for each child. */
#define _GNU_SOURCE
#include "witness.h"
#include <sched.h>
#include <spawn.h>
#include <sys/wait.h>

extern char **environ;
pid_t __vfork(void) __attribute__((returns_twice));
int __clone(int (*)(void *), void *, int, void *, ...);

static int seven(void *unused) { return unused ? 8 : 7; }

static void await(pid_t child, int expected) {
    int status;
    MUST(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
    MUST(WEXITSTATUS(status) == expected);
}

int main(int argc, char **argv) {
    MUST(argc == 2);
    char *program = argv[1];
    char *args[] = {program, "return", NULL};
    MUST(make(77));

    for (int i = 0; i < 4; i++) {
        note_call(DOES_vfork);
        pid_t child = vfork();
        if (!child) {
            /* The child has the parent's memory, so its calls count as the parent's. */
            note_call(DOES_execv);
            execv(program, args);
            syscall(SYS_exit, 97);
        }
        await(child, 7);
    }
    note_call(DOES___vfork);
    pid_t child = __vfork();
    if (!child) {
        TRY(execv, execv("/no/such/program", args));
        note_call(DOES__exit);
        _exit(96);
    }
    await(child, 96);

    static char stack[64 * 1024];
    note_call(DOES_clone);
    await(clone(seven, stack + sizeof stack, SIGCHLD, NULL), 7);
    TRY(clone, clone(NULL, stack + sizeof stack, SIGCHLD, NULL));
    note_call(DOES___clone);
    await(__clone(seven, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL), 7);

    MUST(!NUMBER(posix_spawn, posix_spawn(&child, program, NULL, NULL, args, environ)));
    await(child, 7);
    MUST(!NUMBER(posix_spawnp, posix_spawnp(&child, program, NULL, NULL, args, environ)));
    await(child, 7);
    MUST(NUMBER(posix_spawn, posix_spawn(&child, "/no/such/program", NULL, NULL, args, environ)) == ENOENT);
    tell();
    return 0;
}
