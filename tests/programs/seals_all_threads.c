// flags: -O1 -pthread
/* A hundred children have threads that open files, write vectors and allocate, some of them for the first time, when another thread takes
 * the right to make any other call from all of them (SECCOMP_FILTER_FLAG_TSYNC): such a call kills the child. Prints how many were
 * killed. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

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
enum { ALLOWED = sizeof allowed / sizeof *allowed };

static void seal(void) {
    struct sock_filter steps[ALLOWED + 3];
    steps[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (int i = 0; i < ALLOWED; i++)
        steps[i + 1] =
            (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)allowed[i], (unsigned char)(ALLOWED - i), 0);
    steps[ALLOWED + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    steps[ALLOWED + 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog filter = {ALLOWED + 3, steps};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter))
        _exit(9);
}

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
            seal();
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
