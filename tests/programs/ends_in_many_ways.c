// flags: -O1 -fno-builtin
/* So many children, so many at a time, and no two after each other end in the same way. Tells of each how many calls of pwrite it made, and
 * what waitpid said of its end. With a third argument, each gets the id of the one before; for the first process of a pid namespace. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST = 1 << 22 };
static short calls_of[MOST];

static void end(int number) {
    switch (number % 3) {
    case 0: kill(getpid(), number % 2 ? SIGKILL : SIGTERM); break;
    case 1: kill(getpid(), number % 4 == 1 ? SIGUSR1 : SIGUSR2); break;
    default: abort();
    }
}

static void tell_next(void) {
    int status;
    pid_t pid = wait(&status);
    if (pid < 0 || !WIFSIGNALED(status)) exit(2);
    printf("%d %d\n", calls_of[pid], WTERMSIG(status));
}

int main(int argc, char **argv) {
    if (argc < 3) return 1;
    int children = atoi(argv[1]), at_once = atoi(argv[2]), running = 0;
    int null = open("/dev/null", O_WRONLY);
    int last = argc > 3 ? open("/proc/sys/kernel/ns_last_pid", O_WRONLY) : -1;
    if (argc > 3 && last < 0) return 3;
    for (int number = 0; number < children; number++) {
        if (running == at_once) {
            tell_next();
            running--;
        }
        if (last >= 0 && pwrite(last, "1", 1, 0) != 1) return 4;
        int calls = number % 500 + 1;
        fflush(stdout);
        pid_t child = fork();
        if (child < 0) return 5;
        if (child == 0) {
            for (int call = 0; call < calls; call++)
                if (pwrite(null, "x", 1, 0) != 1) _exit(6);
            end(number);
        }
        if (last >= 0 && child != 2) return 7;
        calls_of[child] = (short)calls;
        running++;
    }
    for (; running > 0; running--)
        tell_next();
    return 0;
}
