// flags:
/* Executes /bin/true under a filter that kills a process for any call that /bin/true does not make. */
#define _GNU_SOURCE
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <spawn.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define KILL(number) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)

int main(int count, char **arguments) {
    (void)arguments;
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        KILL(SYS_sigaltstack),
        KILL(SYS_ftruncate),
        KILL(SYS_getppid),
        KILL(SYS_readlinkat),
        KILL(SYS_process_vm_readv),
        KILL(SYS_prctl),
        KILL(SYS_madvise),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        return 2;
    if (count > 1) {
        /* By posix_spawn: Weir sees that the path exists. */
        pid_t child;
        int status;
        char *words[] = {"true", NULL};
        if (posix_spawn(&child, "/bin/true", NULL, NULL, words, environ) != 0 || waitpid(child, &status, 0) != child)
            return 4;
        return status != 0;
    }
    execlp("/bin/true", "true", NULL);
    return 3;
}
