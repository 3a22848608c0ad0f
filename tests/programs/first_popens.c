// flags: -pthread -ldl
/* Two threads open their first commands at once, again and again, each time in a new process. A tracer tries every order: the
 * thread that first makes the C library's tables of functions writable is stopped some instructions later, one more each time,
 * until the other has made them read-only again, or waits. Says how many orders there were: none, without a library that
 * writes to these tables. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MUST(condition) do { if (!(condition)) { fprintf(stderr, "%d: %s\n", __LINE__, #condition); _exit(9); } } while (0)

enum { THREADS = 2, STOPPED_AT_CALL = SIGTRAP | 0x80 };

/* What a traced thread does at a stop. */
enum what { OTHER, HAS_MADE_WRITABLE, HAS_MADE_READ_ONLY, WILL_WAIT };

struct thread {
    pid_t id;
    /* The call that it is in: its number and arguments. */
    struct __ptrace_syscall_info call;
    enum what what;
};

static int threads_seen[2], start[2];

static void *open_one(void *unused) {
    char line[16] = "";
    pid_t self = (pid_t)syscall(SYS_gettid);
    MUST(write(threads_seen[1], &self, sizeof self) == sizeof self);
    MUST(read(start[0], line, 1) == 1);
    FILE *command = popen("echo here", "r");
    MUST(command && fgets(line, sizeof line, command) && line[0] == 'h');
    MUST(pclose(command) == 0);
    return unused;
}

static int open_them(void) {
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        MUST(!pthread_create(&threads[i], NULL, open_one, NULL));
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    return 0;
}

static enum what next_stop(struct thread *thread) {
    struct __ptrace_syscall_info info;
    MUST(ptrace(PTRACE_GET_SYSCALL_INFO, thread->id, sizeof info, &info) > 0);
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
        thread->call = info;
        int operation = (int)info.entry.args[1] & FUTEX_CMD_MASK;
        int is_wait = operation == FUTEX_WAIT || operation == FUTEX_WAIT_BITSET;
        return info.entry.nr == SYS_futex && is_wait ? WILL_WAIT : OTHER;
    }
    unsigned long long tables = (unsigned long long)dlsym(RTLD_DEFAULT, "_IO_file_jumps");
    unsigned long long *arguments = (unsigned long long *)thread->call.entry.args;
    int is_near = arguments[0] < tables + 65536 && tables < arguments[0] + 65536;
    if (info.op != PTRACE_SYSCALL_INFO_EXIT || thread->call.entry.nr != SYS_mprotect || !is_near)
        return OTHER;
    return arguments[2] & PROT_WRITE ? HAS_MADE_WRITABLE : HAS_MADE_READ_ONLY;
}

static void go_on(pid_t thread, int signal) {
    ptrace(PTRACE_SYSCALL, thread, NULL, signal);
}

/* Lets a stopped thread make so many instructions. False if the next one is a system call before that. */
static int steps(pid_t thread, int instructions) {
    for (int i = 0; i < instructions; i++) {
        struct __ptrace_syscall_info at;
        MUST(ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof at, &at) > 0);
        errno = 0;
        unsigned code = (unsigned)ptrace(PTRACE_PEEKTEXT, thread, (void *)at.instruction_pointer, NULL);
        MUST(errno == 0);
#ifdef __x86_64__
        if ((code & 0xffff) == 0x050f)
            return 0;
#else
        if (code == 0xd4000001)
            return 0;
#endif
        int status;
        MUST(!ptrace(PTRACE_SINGLESTEP, thread, NULL, NULL));
        MUST(waitpid(thread, &status, __WALL) == thread && WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP);
    }
    return 1;
}

/* Whether there was such an order. */
static int try_order(int instructions) {
    struct thread threads[THREADS] = {0};
    int status = 0, was_there = 0;
    pid_t held = 0, child = fork();
    MUST(child >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit(open_them());
    }
    for (int i = 0; i < THREADS; i++) {
        pid_t id;
        MUST(read(threads_seen[0], &id, sizeof id) == sizeof id);
        threads[i].id = id;
        MUST(!ptrace(PTRACE_SEIZE, id, NULL, PTRACE_O_TRACESYSGOOD));
        MUST(!ptrace(PTRACE_INTERRUPT, id, NULL, NULL));
        MUST(waitpid(id, &status, __WALL) == id);
        go_on(id, 0);
    }
    MUST(write(start[1], "go", THREADS) == THREADS);
    for (;;) {
        pid_t who = waitpid(-1, &status, __WALL);
        MUST(who > 0);
        if (who == child && !WIFSTOPPED(status))
            break;
        if (!WIFSTOPPED(status)) {
            if (held)
                go_on(held, 0);
            held = 0;
            continue;
        }
        if (WSTOPSIG(status) != STOPPED_AT_CALL) {
            go_on(who, status >> 16 ? 0 : WSTOPSIG(status));
            continue;
        }
        struct thread *thread = &threads[who == threads[1].id];
        struct thread *other = &threads[who != threads[1].id];
        thread->what = next_stop(thread);
        if (thread->what == HAS_MADE_WRITABLE && !was_there && steps(who, instructions)) {
            was_there = 1;
            if (other->what != WILL_WAIT) {
                held = who;
                continue;
            }
        }
        if (held && (thread->what == HAS_MADE_READ_ONLY || thread->what == WILL_WAIT)) {
            go_on(held, 0);
            held = 0;
        }
        go_on(who, 0);
    }
    if (WIFSIGNALED(status) || WEXITSTATUS(status) != 0)
        printf("after %d instructions: status %#x\n", instructions, status);
    return was_there;
}

int main(void) {
    int orders = 0;
    MUST(!pipe(threads_seen) && !pipe(start));
    while (try_order(orders))
        orders++;
    printf("%d orders\n", orders);
    return 0;
}
