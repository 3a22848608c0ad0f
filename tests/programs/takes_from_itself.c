// flags: -O1 -fno-builtin -pthread
/* Takes something from itself, as its first argument says, or asks whether it could, and continues. Its output is
 * the same with the library and without. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <link.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "system_call.h"

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#endif
#ifndef SECCOMP_FILTER_FLAG_TSYNC
#define SECCOMP_FILTER_FLAG_TSYNC 1
#endif

static int zero;

static void work(void) {
    char buffer[8];
    for (int i = 0; i < 500; i++)
        free(malloc(100));
    for (int i = 0; i < 20; i++)
        if (read(zero, buffer, sizeof buffer) != sizeof buffer)
            _exit(90);
}

static void *thread(void *argument) {
    work();
    return argument;
}

/* The same in a thread and in a forked child, which start without what was taken. */
static void others(void) {
    pthread_t other;
    if (pthread_create(&other, NULL, thread, NULL) || pthread_join(other, NULL))
        _exit(91);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        work();
        _exit(5);
    }
    int status;
    waitpid(pid, &status, 0);
    printf("child %d\n", WEXITSTATUS(status));
}

static void clock_of(int by_syscall) {
    int result = by_syscall ? (int)syscall(SYS_prctl, PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0)
                            : prctl(PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0);
    printf("clock %d\n", result);
    work();
    others();
}

static void refused_clock(void) {
    errno = 0;
    int result = prctl(PR_SET_TSC, PR_TSC_SIGSEGV + 7, 0, 0, 0);
    printf("clock %d %d\n", result, errno);
    work();
}

static void strict(int by_syscall) {
    if (by_syscall ? syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL)
                   : prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
        _exit(92);
    char buffer[8];
    for (int i = 0; i < 5000; i++)
        if (read(zero, buffer, 1) != 1)
            syscall(SYS_exit, 93);
    syscall(SYS_exit, 0);
}

/* Tests what is supported, as libseccomp does. None of these calls can succeed. */
static void probe(void) {
    struct sock_fprog bad = {0, NULL};
    printf("%ld", syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 1, NULL));
    printf(" %ld", syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, NULL));
    printf(" %ld", syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, 8L));
    printf(" %d", prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL, 0, 0));
    printf(" %d\n", prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &bad, 0, 0));
    work();
    others();
}

static volatile char selector;
static unsigned long from, bytes;

static int find_c_library(struct dl_phdr_info *object, size_t size, void *data) {
    (void)size;
    (void)data;
    if (!strstr(object->dlpi_name, "libc.so"))
        return 0;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        if (segment->p_type == PT_LOAD && segment->p_flags & PF_X) {
            from = object->dlpi_addr + segment->p_vaddr;
            bytes = segment->p_memsz;
        }
    }
    return 1;
}

static void dispatched(int number) {
    (void)number;
    selector = 0;
    static const char text[] = "a call of somebody else's\n";
    if (write(2, text, sizeof text - 1) < 0)
        _exit(94);
    _exit(95);
}

/* Dispatches all system calls except the C library's to itself. */
static void dispatch(void) {
    dl_iterate_phdr(find_c_library, NULL);
    signal(SIGSYS, dispatched);
    if (prctl(PR_SET_SYSCALL_USER_DISPATCH, 1, from, bytes, &selector))
        _exit(96);
    selector = 1;
    work();
    FILE *stream = fopen("/dev/zero", "r");
    fgetc(stream);
    fclose(stream);
    others();
    pid_t pid = (pid_t)syscall(FORKING, 0, 0, 0);
    if (pid == 0)
        _exit(6);
    int status;
    waitpid(pid, &status, 0);
    selector = 0;
    printf("another %d\n", WEXITSTATUS(status));
}

/* The kernel never reads the arguments of a call that a filter denies, so they may be invalid. */
static void denied(void) {
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_writev, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_connect, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sendmsg, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
        _exit(97);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    void *nothing = (void *)8;
    printf("%ld", (long)writev(zero, nothing, 3));
    printf(" %d", connect(fd, nothing, 16));
    printf(" %ld\n", (long)sendmsg(fd, nothing, 0));
}

static void root(const char *folder, int writes) {
    if (chroot(folder) || chdir("/"))
        _exit(98);
    for (int i = 0; i < writes; i++)
        if (write(1, "x", 1) != 1)
            _exit(99);
}

/* Only a process of one thread may do this. */
static void alone(void) {
    usleep(50000);
    printf("%d", unshare(CLONE_NEWUSER));
    printf(" %d", unshare(CLONE_VM | CLONE_SIGHAND | CLONE_THREAD));
    printf(" %ld\n", syscall(SYS_unshare, CLONE_VM));
    work();
}

int main(int count, char **arguments) {
    const char *what = count > 1 ? arguments[1] : "";
    zero = open("/dev/zero", O_RDWR);
    for (int i = 0; i < 5; i++)
        work();
    if (!strcmp(what, "clock"))
        clock_of(0);
    else if (!strcmp(what, "clock by syscall"))
        clock_of(1);
    else if (!strcmp(what, "refused clock"))
        refused_clock();
    else if (!strcmp(what, "strict"))
        strict(0);
    else if (!strcmp(what, "strict by syscall"))
        strict(1);
    else if (!strcmp(what, "probe"))
        probe();
    else if (!strcmp(what, "dispatch"))
        dispatch();
    else if (!strcmp(what, "denied"))
        denied();
    else if (!strcmp(what, "root") && count > 3)
        root(arguments[2], atoi(arguments[3]));
    else if (!strcmp(what, "alone"))
        alone();
    else
        return 100;
    return 0;
}
