// flags: -O1 -fno-builtin
/* A process with several children, and a chain of children. All allocate, and free what they inherited. */
#include "witness.h"
#include <sys/wait.h>

NAMED(pid_t, fork_alias, __fork, void);

static void *inherited[10];

static void await(pid_t child, int expected) {
    int status;
    MUST(waitpid(child, &status, 0) == child && WIFEXITED(status));
    MUST(WEXITSTATUS(status) == expected);
}

int main(void) {
    for (size_t i = 0; i < 10; i++)
        MUST(inherited[i] = make(1000 * (i + 1)));

    for (int i = 0; i < 5; i++) {
        pid_t child = (pid_t)TRY(fork, fork());
        MUST(child >= 0);
        if (!child) {
            begin_again();
            for (int n = 0; n <= i; n++)
                drop(inherited[n]);
            for (int n = 0; n < 100 * i; n++)
                MUST(make(64));
            MUST(MOVE(write, 6, write(1, "child\n", 6)) == 6);
            tell();
            exit(i);
        }
        await(child, i);
    }

    int depth = 0;
    for (; depth < 6; depth++) {
        drop(make(5000));
        pid_t child = (pid_t)TRY(__fork, fork_alias());
        MUST(child >= 0);
        if (child) {
            await(child, depth + 1);
            break;
        }
        begin_again();
        drop(inherited[depth]);
        MUST(make(10 + (size_t)depth));
    }
    tell();
    return depth;
}
