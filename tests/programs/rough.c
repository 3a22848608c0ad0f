// flags: -O1 -fno-builtin -pthread
/* Changes its own process in a way that must not disturb Weir, as its argument says, and continues. */
#include "witness.h"
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

extern char **environ;

static void work(void) {
    static char bytes[100];
    int fd = (int)TRY(open, open("/dev/null", O_RDWR));
    for (size_t i = 1; i <= 300; i++) {
        void *block = make(i);
        if (block && i % 3)
            drop(block);
        MOVE(write, i % 90, write(fd, bytes, i % 90));
        MOVE(read, 5, read(fd, bytes, 5));
    }
    TRY(close, close(fd));
}

static void limit(int resource, rlim_t value) {
    struct rlimit limit = {value, value};
    MUST(!setrlimit(resource, &limit));
}

int main(int argc, char **argv) {
    MUST(argc >= 2);
    const char *what = argv[1];
#define IS(name) (!strcmp(what, name))
    make(1000);
    if (IS("closes_all")) {
        for (int fd = 3; fd < 1024; fd++)
            TRY(close, close(fd));
    } else if (IS("replaces_all")) {
        int null = (int)TRY(open, open("/dev/null", O_RDWR));
        for (int fd = 3; fd < 512; fd++)
            MUST(TRY(dup2, dup2(null, fd)) == fd);
    } else if (IS("close_range")) {
        MUST(!DONE(syscall, 0, syscall(SYS_close_range, 3, ~0U, 0)));
    } else if (IS("closes_standard")) {
        for (int fd = 0; fd < 3; fd++)
            if (fd != 1)
                MUST(!TRY(close, close(fd)));
        /* Now this is the lowest free number: a message on standard error would be written to this file. */
        MUST(TRY(open, open("first", O_RDWR | O_CREAT, 0600)) == 0);
        MUST(TRY(open, open("second", O_RDWR | O_CREAT, 0600)) == 2);
    } else if (IS("clears_environment")) {
        MUST(!clearenv());
    } else if (IS("no_environment")) {
        environ = NULL;
    } else if (IS("overwrites_environment")) {
        for (char **entry = environ; *entry; entry++)
            memset(*entry, 'x', strlen(*entry));
    } else if (IS("overwrites_arguments")) {
        memset(argv[0], 'x', strlen(argv[0]));
    } else if (IS("changes_folder")) {
        MUST(!TRY(chdir, chdir("/")));
    } else if (IS("changes_root")) {
        /* A user who is not root can do this in a user namespace of their own. */
        MUST(!geteuid() || !unshare(CLONE_NEWUSER));
        MUST(!TRY(mkdir, mkdir("root", 0700)) && !TRY(chroot, chroot("root")));
        MUST(!TRY(chdir, chdir("/")));
        MUST(TRY(open, open("/dev/null", O_RDWR)) < 0);
    } else if (IS("changes_user")) {
        if (geteuid())
            MUST(!unshare(CLONE_NEWUSER)); /* becomes nobody */
        else
            MUST(!setgroups(0, NULL) && !setgid(65534) && !TRY(setuid, setuid(65534)));
    } else if (IS("limits_descriptors")) {
        limit(RLIMIT_NOFILE, 4);
    } else if (IS("limits_files")) {
        limit(RLIMIT_FSIZE, 0);
    } else if (IS("limits_memory")) {
        struct rlimit memory;
        limit(RLIMIT_DATA, 4 << 20);
        MUST(!getrlimit(RLIMIT_DATA, &memory));
        MUST(!make(64 << 20));
    } else if (IS("limits_processes")) {
        limit(RLIMIT_NPROC, 0);
    } else if (IS("ignores_signals")) {
        for (int number = 1; number < 32; number++)
            if (number == SIGKILL || number == SIGSTOP)
                FAIL(signal, EINVAL, signal(number, SIG_IGN));
            else
                DONE(signal, 0, signal(number, SIG_IGN));
    } else if (IS("blocks_signals")) {
        sigset_t all;
        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, NULL);
    } else if (IS("daemon")) {
        fflush(NULL);
        pid_t child = fork();
        if (child) {
            /* The grandchild prints the account; this process ends without a sign to Weir. */
            waitpid(child, NULL, 0);
            syscall(SYS_exit_group, 0);
        }
        setsid();
        begin_again();
    } else if (IS("sandbox")) {
        struct sock_filter filter[] = {
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
#define ALLOW(name) \
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 1), \
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
            ALLOW(read), ALLOW(write), ALLOW(openat), ALLOW(close), ALLOW(brk), ALLOW(mmap),
            ALLOW(munmap), ALLOW(getpid), ALLOW(exit_group),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        };
        struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
        MUST(!TRY(prctl, prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)));
        MUST(!TRY(prctl, prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)));
        /* A block that lives for many milliseconds. */
        void *block = make(100);
        for (volatile long turn = 0; turn < 30000000; turn++) {
        }
        drop(block);
    } else {
        MUST(!"known");
    }
    work();
    say("still here\n");
    tell();
    return 6;
}
