/* Processes of the torture program: every way to make one, and what a child with one thread does. */
#ifndef CHILDREN_H
#define CHILDREN_H

#include "calls.h"
#include <linux/sched.h>
#include <sched.h>
#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

static const char *executable, *account_path;

/* The first version of the structure in <linux/sched.h>. */
struct clone3_arguments {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
};

/* Takes one from the number of processes that may still be made. */
static int may_make_process(void) {
    if (LOAD(account->processes_left) <= 0)
        return 0;
    return PLUS(account->processes_left, -1) > 0;
}

/* Waits for a child, and checks that it ended as it announced. */
static void reap(int pid) {
    int status;
    long result;
    while ((result = BARE4(wait4, pid, &status, __WALL, 0)) == -EINTR)
        ;
    if (result == pid)
        check_end(pid, status);
    else
        wrong("a child is not there to be waited for: pid, errno", (uint64_t)pid, (uint64_t)-result);
}

/* The command line of an image of its own: "image ACCOUNT SEED STEPS DEPTH FUNCTION". */
struct command {
    char seed[24], steps[24], depth[24], function[24];
    char *words[8];
};

static void make_command(struct command *command, int steps, int by_function) {
    digits(command->seed, any());
    digits(command->steps, (uint64_t)steps);
    digits(command->depth, (uint64_t)me->depth + 1);
    digits(command->function, (uint64_t)by_function);
    char *words[] = {(char *)executable, "image", (char *)account_path, command->seed,
                     command->steps, command->depth, command->function, NULL};
    memcpy(command->words, words, sizeof words);
}

/* Whether this image has, or had, more than one thread. */
static int is_threaded;

/* Executes this program anew. The new image counts the call as done. In a borrower of memory, another thread may
 * already have ended the image; then the call never counts as done. */
static void execute(int steps, int is_borrower) {
    static const int functions[] = {DOES_execv, DOES_execve, DOES_execvp, DOES_execl, DOES_fexecve};
    struct command command;
    int function = functions[below(5)], fd = -1;
    if (function == DOES_fexecve && (fd = CALL(open, open(executable, O_RDONLY | O_CLOEXEC))) < 0)
        function = DOES_execv;
    make_command(&command, steps, is_borrower && is_threaded ? FUNCTIONS : function);
    char **words = command.words;
    begin(function);
    switch (function) {
    case DOES_execv: execv(executable, words); break;
    case DOES_execve: execve(executable, words, environ); break;
    case DOES_execvp: execvp(executable, words); break;
    case DOES_execl:
        execl(executable, words[0], words[1], words[2], words[3], words[4], words[5], words[6], NULL);
        break;
    default: fexecve(fd, words, environ);
    }
    wrong("exec fails: errno", (uint64_t)errno, 0);
}

/* Fails to execute a program. */
static void fail_to_execute(void) {
    char *words[] = {"nobody", NULL};
    switch (below(4)) {
    case 0: MUST(CALL(execv, execv("/is/not/there", words)) == -1 && errno == ENOENT); break;
    case 1: MUST(CALL(execve, execve("/", words, environ)) == -1 && errno == EACCES); break;
    case 2: MUST(CALL(execvp, execvp("is-not-there-either", words)) == -1); break;
    default: MUST(CALL(execl, execl("/dev/null", "null", "argument", NULL)) == -1 && errno == EACCES);
    }
}

/* Ends a child with one thread, as it announces before. */
static void end_alone(void) {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    int status = 1 + below(100);
    mean_to_end(status);
    switch (below(6)) {
    case 0:
    case 1: LAST(_exit, _exit(status)); break;
    case 2: LAST(_Exit, _Exit(status)); break;
    case 3: LAST(syscall, syscall(SYS_exit_group, status)); break;
    case 4:
        mean_to_end(SIGNALED + SIGKILL);
        BARE2(kill, own_pid(), SIGKILL);
        break;
    default:
        mean_to_end(SIGNALED + SIGTERM);
        sigdelset(&all, SIGTERM);
        CALL(signal, signal(SIGTERM, SIG_DFL));
        BARE2(kill, own_pid(), SIGTERM);
        sigprocmask(SIG_SETMASK, &all, NULL);
    }
    wrong("it goes on after its end", 0, 0);
}

static int clone_child(void *may) {
    me->may = (enum may)(long)may;
    generation++;
    life_of_child();
    return 0;
}

/* What a child of vfork and its kind does. It has the memory of its parent, which waits. */
static void life_of_borrower(void) {
    int status = 1 + below(100);
    static int null = -1;
    for (int i = below(4); i > 0; i--)
        MOVE(write, 3, write(null, "abc", 3));
    switch (below(4)) {
    case 0:
        fail_to_execute();
        break;
    case 1:
        if (me->depth < 3) {
            execute(3 + below(10), 1);
        }
    }
    mean_to_end(status);
    if (is_threaded) {
        begin(DOES__exit);
        _exit(status);
    }
    LAST(_exit, _exit(status));
}

static int clone_borrower(void *nothing) {
    (void)nothing;
    life_of_borrower();
    return 0;
}

/* Its thread pointer leads to no valid thread area, so Weir may not count its calls. */
static __attribute__((optimize("no-stack-protector"))) int clone_elsewhere(void *status) {
    begin(DOES_access);
    access("/", R_OK);
    mean_to_end((int)(long)status);
    return (int)(long)status;
}

/* Makes a child that continues here. Returns 0 in the child, and sets what it may do. Uses fork only if this
 * thread cannot hold a lock. */
static int make_child(int may_fork, void *stack) {
    struct clone3_arguments arguments = {.exit_signal = SIGCHLD};
    int is_alone = !is_threaded && !me->in_handler, function = DOES_syscall, pid;
    enum may may = is_alone && me->may != SAFE_ONLY ? ALLOCATE : SAFE_ONLY;
    switch (below(may_fork ? 9 : 6)) {
    case 0:
        function = DOES__Fork, begin(function);
        pid = _Fork();
        break;
    case 1:
        begin(function);
        pid = (int)syscall(FORKING, 0, 0, 0);
        break;
    case 2:
        begin(function);
        pid = (int)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
        break;
    case 3:
        begin(function);
        pid = (int)syscall(SYS_clone3, &arguments, sizeof arguments);
        break;
    case 4:
        function = DOES_clone, begin(function);
        pid = clone(clone_child, stack, SIGCHLD, (void *)(long)may);
        break;
    case 5:
        /* No library sees this call. */
        function = -1;
        pid = (int)bare(FORKING, 0, 0, 0, 0, 0);
        break;
    default:
        function = DOES_fork, begin(function);
        may = is_alone ? me->may : ALLOCATE;
        pid = fork();
    }
    if (pid && function >= 0)
        finish(function);
    if (!pid)
        me->may = may, generation++;
    return pid;
}

/* Makes a child in one of all ways, and waits for it. */
static void child_step(int may_fork) {
    if (me->depth > 4 || !may_make_process())
        return;
    sigset_t all, before;
    volatile int pid = -1;
    long room = bare(SYS_mmap, 0, CHILD_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    void *stack = (char *)room + CHILD_STACK;
    switch (below(8)) {
    case 0:
        /* A handler would run in memory that is not the child's own. */
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        begin(DOES_vfork);
        pid = vfork();
        if (!pid)
            life_of_borrower();
        finish(DOES_vfork);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        break;
    case 1:
    case 2: {
        int flags = CLONE_VM | CLONE_VFORK | SIGCHLD, elsewhere = one_in(3);
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        if (elsewhere) {
            long status = 1 + below(100);
            pid = CALL(clone, clone(clone_elsewhere, stack, flags | CLONE_SETTLS, (void *)status, NULL,
                                    (char *)room + 8192, NULL));
        } else {
            pid = CALL(clone, clone(clone_borrower, stack, flags, NULL));
        }
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        break;
    }
    case 3: {
        struct command command;
        pid_t spawned = -1;
        make_command(&command, 3 + below(10), FUNCTIONS);
        if (one_in(3)) {
            MUST(CALL(posix_spawn, posix_spawn(&spawned, "/is/not/there", NULL, NULL, command.words, environ)));
            break;
        }
        if (one_in(2))
            MUST(!CALL(posix_spawn, posix_spawn(&spawned, executable, NULL, NULL, command.words, environ)));
        else
            MUST(!CALL(posix_spawnp, posix_spawnp(&spawned, executable, NULL, NULL, command.words, environ)));
        pid = spawned;
        break;
    }
    default:
        pid = make_child(may_fork, stack);
        if (!pid)
            life_of_child();
    }
    int is_made = pid > 0;
    BARE2(munmap, room, CHILD_STACK);
    /* Some children are left for others to wait for. */
    if (is_made && !one_in(6))
        reap(pid);
}

#endif
