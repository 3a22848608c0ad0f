// flags: -O1 -pthread
/* Opens fifty files and makes one in memory, in a sandbox, in a thread that was there before and in one that was not. Any call that it
 * does not make itself kills it. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const int allowed[] = {
    SYS_openat, SYS_close, SYS_memfd_create, SYS_exit_group,
    /* The C library's, where a thread begins and ends. */
    SYS_mmap, SYS_munmap, SYS_mprotect, SYS_brk, SYS_madvise, SYS_futex, SYS_clone, SYS_clone3, SYS_exit, SYS_rt_sigprocmask,
    SYS_set_robust_list, SYS_rseq,
};
enum { ALLOWED = sizeof allowed / sizeof *allowed, FILES = 25 };

static pthread_barrier_t sealed;

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

static void *opens(void *of) {
    pthread_barrier_wait(&sealed);
    char name[64];
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof name, "%s-%d", (const char *)of, i);
        if (close(open(name, O_CREAT | O_WRONLY, 0600)))
            _exit(8);
    }
    snprintf(name, sizeof name, "memory-%s", (const char *)of);
    if (close(memfd_create(name, 0)))
        _exit(7);
    return of;
}

int main(void) {
    pthread_t before, after;
    pthread_barrier_init(&sealed, NULL, 2);
    if (pthread_create(&before, NULL, opens, "before"))
        return 6;
    seal();
    pthread_barrier_wait(&sealed);
    pthread_join(before, NULL);
    pthread_barrier_init(&sealed, NULL, 1);
    if (pthread_create(&after, NULL, opens, "after"))
        return 5;
    pthread_join(after, NULL);
    _exit(4);
}
