// flags: -O1 -fno-builtin -pthread
/* Gives up all system calls except those that it will make, in the way of its first argument, and does what the
 * second one says. Any other call kills it. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MUST(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "line %d: %s, errno %d\n", __LINE__, #condition, errno); \
            _exit(99); \
        } \
    } while (0)

static int zero, null;
static char buffer[64];

static const int few[] = {SYS_read, SYS_write, SYS_exit_group, SYS_rt_sigreturn};

/* The system calls that threads and forks need. */
static const int more[] = {
    SYS_read,  SYS_write,    SYS_exit_group,      SYS_rt_sigreturn, SYS_clone,  SYS_clone3,
    SYS_exit,  SYS_futex,    SYS_set_robust_list, SYS_rseq,         SYS_mmap,   SYS_munmap,
    SYS_wait4, SYS_mprotect, SYS_rt_sigprocmask,  SYS_madvise,
};

static void seal(const char *way, const int *allowed, int count) {
    struct sock_filter code[64] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    };
    for (int i = 0; i < count; i++) {
        code[1 + i] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allowed[i], count - i, 0);
    }
    code[1 + count] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    code[2 + count] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {3 + count, code};
    MUST(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    /* The same calls as libseccomp makes to test what is supported. */
    MUST(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, NULL) == -1);
    if (!strcmp(way, "prctl")) {
        MUST(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, 0, 0, 0) == -1 && errno == EFAULT);
        MUST(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0));
    } else {
        MUST(!syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program));
    }
}

static void *do_something(void *unused) {
    (void)unused;
    for (int i = 0; i < 50; i++) {
        if (write(null, buffer, 16) != 16) _exit(98);
    }
    return NULL;
}

static void in_a_thread(void) {
    pthread_t thread;
    MUST(!pthread_create(&thread, NULL, do_something, NULL));
    MUST(!pthread_join(thread, NULL));
}

int main(int argc, char **argv) {
    MUST(argc == 3);
    MUST((zero = open("/dev/zero", O_RDONLY)) >= 0 && (null = open("/dev/null", O_WRONLY)) >= 0);
    free(malloc(100));
    const char *what = argv[2];
    if (!strcmp(what, "alone")) {
        seal(argv[1], few, sizeof few / sizeof *few);
        for (int i = 0; i < 100; i++) {
            if (read(zero, buffer, 64) != 64 || write(null, buffer, 32) != 32) _exit(98);
            free(malloc(24));
        }
    } else if (!strcmp(what, "fills the ring")) {
        seal(argv[1], few, sizeof few / sizeof *few);
        for (int i = 0; i < 50000; i++) {
            if (write(null, buffer, 1) != 1) _exit(98);
        }
    } else if (!strcmp(what, "threads")) {
        in_a_thread();
        seal(argv[1], more, sizeof more / sizeof *more);
        for (int i = 0; i < 3; i++) in_a_thread();
    } else {
        MUST(!strcmp(what, "forks"));
        seal(argv[1], more, sizeof more / sizeof *more);
        for (int i = 0; i < 3; i++) {
            pid_t child = fork();
            if (!child) {
                do_something(NULL);
                _exit(5);
            }
            int status;
            if (wait4(child, &status, 0, NULL) != child || status != 5 << 8) _exit(97);
        }
    }
    if (write(1, "done\n", 5) != 5) _exit(96);
    return 7;
}
