// flags: -O1
/* Prints everything that a process inherits to the file "standing": arguments, environment, descriptors, signals,
 * limits, working directory. Entries that name Weir are left out. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

int main(int argc, char **argv) {
    int open_before[64];
    for (int fd = 0; fd < 64; fd++)
        open_before[fd] = fcntl(fd, F_GETFD) >= 0 ? fcntl(fd, F_GETFL) : -1;
    FILE *out = fopen("standing", "w");
    if (!out)
        return 90;
    for (int fd = 0; fd < 64; fd++)
        if (open_before[fd] >= 0)
            fprintf(out, "descriptor %d open, access mode %d\n", fd, open_before[fd] & O_ACCMODE);
    for (int i = 0; i < argc; i++)
        fprintf(out, "argument %s\n", argv[i]);
    for (char **entry = environ; *entry; entry++)
        if (strncmp(*entry, "LD_PRELOAD=", 11) && strncmp(*entry, "WEIR_", 5))
            fprintf(out, "environment %s\n", *entry);
    for (int number = 1; number < 32; number++) {
        struct sigaction action;
        sigaction(number, NULL, &action);
        if (action.sa_handler != SIG_DFL)
            fprintf(out, "signal %d %s\n", number, action.sa_handler == SIG_IGN ? "ignored" : "handled");
    }
    sigset_t blocked;
    sigprocmask(SIG_SETMASK, NULL, &blocked);
    for (int number = 1; number < 65; number++)
        if (sigismember(&blocked, number) == 1)
            fprintf(out, "signal %d blocked\n", number);
    for (int resource = 0; resource < RLIM_NLIMITS; resource++) {
        struct rlimit limit;
        getrlimit(resource, &limit);
        fprintf(out, "limit %d %lu %lu\n", resource, limit.rlim_cur, limit.rlim_max);
    }
    char folder[4096];
    fprintf(out, "folder %s\n", getcwd(folder, sizeof folder));
    mode_t mask = umask(0);
    fprintf(out, "mask %o, priority %d, users %d %d\n", mask, getpriority(PRIO_PROCESS, 0), getuid(),
            geteuid());
    fclose(out);
    return 0;
}
