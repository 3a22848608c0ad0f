// flags: -O1
/* Fails to execute the path of its second argument, by execv and by execlp, between calls that Weir counts. What has no format
 * that the kernel knows, execlp would have a shell execute: that is tried by fexecve. With a third argument, what is executed gets more
 * arguments than the kernel allows. Then it ends as the first argument says. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void calls(int count) {
    for (int i = 0; i < count; i++)
        close(dup(1));
}

int main(int argc, char **argv) {
    char *const arguments[] = {"x", NULL};
    calls(100);
    if (argc > 3) {
        /* The kernel finds only at last that there is no room for this argument. */
        static char much[1 << 20];
        char *const too_long[] = {"x", memset(much, 'x', sizeof much - 1), NULL};
        execv(argv[2], too_long);
        printf("%d\n", errno);
        fflush(stdout);
    } else if (argc > 2) {
        execv(argv[2], arguments);
        printf("%d", errno);
        if (errno == ENOEXEC)
            fexecve(open(argv[2], O_RDONLY | O_CLOEXEC), arguments, environ);
        else
            execlp(argv[2], "x", NULL);
        printf(" %d\n", errno);
        fflush(stdout);
    }
    calls(1000);
    if (argc > 1 && !strcmp(argv[1], "killed"))
        kill(getpid(), SIGKILL);
    return 6;
}
