// flags:
/* Executes /bin/true under a filter that kills a process for any call that /bin/true does not make. The argument says how:
 * "spawn" by posix_spawn, "fork" and "vfork" in a child after an exec that fails, "path" by an exec that takes a path, else by an
 * exec that searches a name. */
#define _GNU_SOURCE
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <spawn.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define KILL(number) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)

static char *const words[] = {"true", NULL};

static int is_true(pid_t child) {
    int status;
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

int main(int count, char **arguments) {
    const char *way = count > 1 ? arguments[1] : "";
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
    pid_t child;
    if (strcmp(way, "spawn") == 0)
        return posix_spawn(&child, "/bin/true", NULL, NULL, words, environ) != 0 || !is_true(child);
    if (strcmp(way, "fork") == 0 || strcmp(way, "vfork") == 0) {
        child = way[0] == 'f' ? fork() : vfork();
        if (child == 0) {
            execv("/no/such", words);
            execv("/bin/true", words);
            _exit(3);
        }
        return !is_true(child);
    }
    if (strcmp(way, "path") == 0)
        execv("/bin/true", words);
    execlp("/bin/true", "true", NULL);
    return 3;
}
