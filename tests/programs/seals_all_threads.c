// flags: -O1 -pthread
/* A hundred children have threads that open files, write vectors and allocate, some of them for the first time, when another thread takes
 * the right to make any other call from all of them (SECCOMP_FILTER_FLAG_TSYNC): such a call kills the child. Prints how many were
 * killed. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include "allow_only.h"

enum { CHILDREN = 100, THREADS = 8 };

static const int allowed[] = {
#ifdef SYS_open
    SYS_open,
#endif
    SYS_openat, SYS_close, SYS_writev, SYS_exit_group,
    /* The C library's, where a thread begins and allocates. */
    SYS_mmap, SYS_munmap, SYS_mprotect, SYS_brk, SYS_madvise, SYS_futex, SYS_getrandom, SYS_rt_sigprocmask, SYS_set_robust_list,
    SYS_rseq, SYS_sched_getaffinity, SYS_read,
};
static volatile int go;

static void *works(void *number) {
    /* The last two begin as the filter comes. */
    while ((long)number >= THREADS - 2 && !go) {
    }
    for (int i = 0;; i++) {
        char *path = strdup("/dev/null");
        struct iovec *parts = malloc(2 * sizeof *parts);
        parts[0] = parts[1] = (struct iovec){path, 3};
        int fd = open(path, O_WRONLY);
        if (fd < 0 || writev(fd, parts, 2) != 6 || close(fd))
            _exit(8);
        free(parts);
        free(path);
        free(malloc((size_t)i % 5000));
    }
    return number;
}

int main(void) {
    int killed = 0;
    for (int child = 0; child < CHILDREN; child++) {
        pid_t pid = fork();
        if (pid == 0) {
            pthread_t thread;
            for (long i = 0; i < THREADS; i++)
                if (pthread_create(&thread, NULL, works, (void *)i))
                    _exit(7);
            for (volatile int i = 0; i < 1000000 + child * 30000; i++) {
            }
            go = 1;
            allow_only(allowed, sizeof allowed / sizeof *allowed);
            for (volatile int i = 0; i < 3000000; i++) {
            }
            _exit(0);
        }
        int status;
        if (waitpid(pid, &status, 0) != pid)
            return 6;
        killed += WIFSIGNALED(status);
        if (WIFEXITED(status) && WEXITSTATUS(status))
            return WEXITSTATUS(status);
    }
    printf("%d were killed\n", killed);
    return 0;
}
