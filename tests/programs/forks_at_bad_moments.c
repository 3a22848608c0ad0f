// flags: -O1 -fno-builtin -pthread
/* Makes processes at the hardest moments, in the way that its argument names. Each image prints its account. */
#include "witness.h"
#include <dlfcn.h>
#include <sys/time.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

static void await(pid_t child, int expected) {
    int status;
    MUST(child > 0 && waitpid(child, &status, 0) == child);
    MUST(WIFEXITED(status) && WEXITSTATUS(status) == expected);
}

/* Handlers that allocate; the first is registered before any constructor has run. */
static int vforks;
static void prepare(void) {
    MUST(make(100));
    if (vforks) {
        note_call(DOES_vfork);
        note_call(DOES__exit);
        pid_t child = vfork();
        if (!child)
            _exit(5);
        await(child, 5);
    }
}
static void in_parent(void) { MUST(make(200) && make(200)); }
static void in_child(void) {
    begin_again();
    MUST(make(300) && make(300) && make(300));
}
static int with_handlers;
static void early_prepare(void) {
    if (with_handlers)
        prepare();
}
static void early_parent(void) {
    if (with_handlers)
        in_parent();
}
static void early_child(void) {
    if (with_handlers)
        in_child();
}
static void early(void) { pthread_atfork(early_prepare, early_parent, early_child); }
__attribute__((section(".preinit_array"), used)) static void (*const first)(void) = early;

static void handlers(void) {
    with_handlers = 1;
    for (int i = 0; i < 20; i++) {
        pid_t child = (pid_t)TRY(fork, fork());
        if (!child) {
            MUST(make(50));
            tell();
            exit(3);
        }
        await(child, 3);
    }
}

static void by_clone3(void) {
    for (int i = 0; i < 20; i++) {
        struct clone_args arguments = {.exit_signal = SIGCHLD};
        pid_t child = (pid_t)TRY(syscall, syscall(SYS_clone3, &arguments, sizeof arguments));
        if (!child) {
            begin_again();
            for (int n = 0; n < 1000; n++)
                drop(make(64));
            tell();
            exit(4);
        }
        for (int n = 0; n < 1000; n++)
            drop(make(64));
        await(child, 4);
    }
}

/* Opens a file by a name that it has not had before. */
static void open_anew(int number) {
    char name[80] = "/dev";
    for (int bit = 0; bit < 14; bit++)
        strcat(name, number >> bit & 1 ? "/." : "/");
    int fd = open(strcat(name, "/null"), O_WRONLY);
    MUST(fd >= 0 && write(fd, name, 4) == 4 && close(fd) == 0);
}

/* A handler forks while a file is opened, and returns in the child, which opens more files. */
static volatile sig_atomic_t is_handlers_child;
static void fork_here(int signal) {
    (void)signal;
    pid_t child = fork();
    if (child)
        await(child, 6);
    else
        is_handlers_child = 1;
}

static void as_files_come(void) {
    for (int round = 0; round < 6; round++) {
        pid_t child = fork();
        if (child) {
            await(child, 6);
            continue;
        }
        MUST(signal(SIGALRM, fork_here) != SIG_ERR);
        for (int number = 0; number < 400 && !is_handlers_child; number++) {
            /* Once, after some microseconds. A child does not inherit this timer. */
            struct itimerval soon = {.it_value.tv_usec = 1 + number * 7 % 30};
            MUST(setitimer(ITIMER_REAL, &soon, NULL) == 0);
            open_anew(number);
        }
        MUST(setitimer(ITIMER_REAL, &(struct itimerval){{0}}, NULL) == 0);
        for (int more = 0; more < 60; more++)
            open_anew(2000 + more);
        _exit(6);
    }
}

/* A handler forks in the middle of a call of another thread, and returns in the child, which continues that call. */
static volatile pid_t forked = -1;
static int ends[2];
static void on_signal(int number) {
    (void)number;
    pid_t child = fork();
    if (child)
        forked = child;
}
static void *reads(void *unused) {
    char byte;
    ssize_t result = read(ends[0], &byte, 1);
    if (forked == -1)
        _exit(result == -1 && errno == EINTR ? 42 : 43);
    return unused;
}
static void in_handler(void) {
    struct sigaction action = {.sa_handler = on_signal};
    pthread_t thread;
    MUST(!pipe(ends) && !sigaction(SIGUSR1, &action, NULL) && !pthread_create(&thread, NULL, reads, NULL));
    usleep(50000);
    MUST(!pthread_kill(thread, SIGUSR1) && !pthread_join(thread, NULL));
    await(forked, 42);
}

/* A handler in the middle of reallocarray, with signalling_library.c preloaded. It makes processes in three ways. */
static int raw_fork(void) { return (int)bare(FORKING, NULL, 0); }
static void makes_children(int number) {
    (void)number;
    for (int way = 0; way < 3; way++) {
        int child = way == 0   ? (int)TRY(fork, fork())
                    : way == 1 ? (int)TRY(_Fork, _Fork())
                               : raw_fork();
        if (!child) {
            begin_again();
            MUST(TRY(access, access("/", F_OK)) == 0);
            note_call(DOES__exit);
            tell();
            _exit(9);
        }
        MUST(TRY(access, access("/", F_OK)) == 0);
        await(child, 9);
    }
}
extern int realloc_signals __attribute__((weak));
static void in_reallocarray(void) {
    struct sigaction action = {.sa_handler = makes_children};
    MUST(make(1000) && !TRY(sigaction, sigaction(SIGUSR1, &action, NULL)) && &realloc_signals);
    realloc_signals = 1;
    for (int i = 0; i < 5; i++)
        MUST(RESIZE(reallocarray, NULL, 300, reallocarray(NULL, 3, 100)));
}

/* Threads that are in malloc and in dlopen while their process forks. */
static volatile int stop;
static void *allocates(void *unused) {
    while (!stop)
        free(malloc(100));
    return unused;
}
static void *loads(void *unused) {
    while (!stop) {
        void *library = dlopen("libm.so.6", RTLD_NOW);
        if (library)
            dlclose(library);
    }
    return unused;
}
static int child_of_clone(void *unused) {
    (void)unused;
    free(malloc(10));
    return 6;
}
static char stack[65536] __attribute__((aligned(16)));
static void busy(void) {
    pthread_t threads[12];
    for (int i = 0; i < 12; i++)
        MUST(!pthread_create(&threads[i], NULL, i % 3 ? allocates : loads, NULL));
    for (int i = 0; i < 300; i++) {
        pid_t child;
        switch (i % 4) {
        case 0: child = fork(); break;
        case 1: child = _Fork(); break;
        case 2: child = (pid_t)syscall(FORKING, 0, 0, 0); break;
        default: child = clone(child_of_clone, stack + sizeof stack, SIGCHLD, NULL);
        }
        if (!child) {
            struct timespec none = {0, 0};
            nanosleep(&none, NULL);
            _exit(6);
        }
        await(child, 6);
    }
    stop = 1;
    for (int i = 0; i < 12; i++)
        MUST(!pthread_join(threads[i], NULL));
}

/* An empty thread area, as sandboxes use it. */
static char area[16384] __attribute__((aligned(16)));
static int changes_directory(void *unused) {
    (void)unused;
    return chdir("/");
}
static void without_thread_area(void) {
    int flags = CLONE_VM | CLONE_VFORK | CLONE_FS | CLONE_SETTLS | SIGCHLD;
    await(clone(changes_directory, stack + sizeof stack, flags, NULL, NULL, area + 8192, NULL), 0);
}

/* A child, or a parent, with a limit on memory. */
#include <sys/resource.h>
static void with_little(int resource, rlim_t bytes, int before) {
    struct rlimit limit = {bytes, bytes};
    if (before)
        MUST(!setrlimit(resource, &limit));
    pid_t child = fork();
    if (!child) {
        if (!before)
            MUST(!setrlimit(resource, &limit));
        _exit(write(1, "child\n", 6) == 6 ? 3 : 4);
    }
    await(child, 3);
}

int main(int count, char **arguments) {
    MUST(count == 2);
    const char *way = arguments[1];
    if (!strcmp(way, "handlers"))
        handlers();
    else if (!strcmp(way, "handlers that vfork"))
        vforks = 1, handlers();
    else if (!strcmp(way, "clone3"))
        by_clone3();
    else if (!strcmp(way, "in a handler"))
        in_handler();
    else if (!strcmp(way, "in a handler, as files come"))
        as_files_come();
    else if (!strcmp(way, "in reallocarray"))
        in_reallocarray();
    else if (!strcmp(way, "busy"))
        busy();
    else if (!strcmp(way, "little address space"))
        with_little(RLIMIT_AS, 30 << 20, 0);
    else if (!strcmp(way, "little data"))
        with_little(RLIMIT_DATA, 1 << 20, 1);
    else
        without_thread_area();
    tell();
    return 0;
}
