// flags: -O1 -fno-builtin -pthread -Wl,-z,now
/* Makes processes out of many busy threads, and prints what it has done.
 *
 *     fork_storm KIND|all FORKS THREADS FORKERS
 *
 * THREADS allocate, load libraries, and do I/O all the time. FORKERS make FORKS processes in the way that KIND
 * names. Each process does a little and ends. An alarm checks whether one of these hangs: then it prints which
 * one, and the status is 3. At the end the program prints how many process images there were, and how many calls
 * all of them made, for functions whose calls can be counted exactly. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "system_call.h"

#define KINDS(F)                                                                                                        \
    F(fork) F(_Fork) F(vfork) F(vfork_exec) F(posix_spawn) F(clone) F(clone_settls) F(clone_vfork) F(clone_vfork_settls) \
    F(clone3) F(syscall_fork) F(inline_fork)
#define AS_ENUM(name) KIND_##name,
#define AS_NAME(name) #name,
enum kind { KINDS(AS_ENUM) KIND_COUNT };
static const char *const kind_names[] = {KINDS(AS_NAME)};

#define COUNTED(F) F(write) F(lseek) F(fork) F(_Fork) F(vfork) F(posix_spawn) F(clone) F(syscall) F(execv) F(_exit)
#define AS_COUNT(name) DOES_##name,
#define AS_COUNT_NAME(name) #name,
enum { COUNTED(AS_COUNT) COUNTS };
static const char *const count_names[] = {COUNTED(AS_COUNT_NAME)};

/* Shared by all processes. */
struct account {
    uint64_t counts[COUNTS];
    /* Process images, including the first. */
    uint64_t images;
};
static struct account *account;
#define PLUS(place, by) __atomic_fetch_add(&(place), (by), __ATOMIC_RELAXED)
#define COUNT(name) PLUS(account->counts[DOES_##name], 1)

enum { ENOUGH = 64, STATUS = 7, PATIENCE = 20, STACK = 64 * 1024, THREAD_STACK = 128 * 1024, ARENAS = 4, WRITES = 3 };

static char *executable;
static int sink;
static volatile int is_over;
static long forks_left;

/* The child that a thread is making. */
static struct forker {
    volatile int kind, tid, child;
    volatile long since;
} forkers[ENOUGH];

/* How many alarms came, one each second: none while the process is stopped. */
static volatile long alarms = 1;

static void fail(const char *what, long one, long other) {
    dprintf(2, "fork_storm: %s: %ld, %ld (errno %d)\n", what, one, other, errno);
    syscall(SYS_exit_group, 2);
}
#define MUST(truth) ((truth) ? (void)0 : fail(#truth, __LINE__, 0))

static void show(const char *format, int pid) {
    char path[64], text[1000];
    snprintf(path, sizeof path, format, pid, pid);
    int fd = open(path, O_RDONLY);
    ssize_t length = fd < 0 ? 0 : read(fd, text, sizeof text);
    dprintf(2, "%s: %.*s\n", path, (int)(length < 0 ? 0 : length), text);
    close(fd);
}

static void on_alarm(int number) {
    (void)number;
    int errno_ = errno, hangs = 0;
    alarms++;
    for (int i = 0; i < ENOUGH; i++) {
        struct forker *forker = &forkers[i];
        if (!forker->since || alarms - forker->since < PATIENCE)
            continue;
        hangs = 1;
        dprintf(2, "fork_storm: %s hangs, child %d of thread %d\n", kind_names[forker->kind], forker->child, forker->tid);
        show("/proc/%d/task/%d/children", forker->tid);
        show("/proc/%d/syscall", forker->tid);
        if (forker->child) {
            show("/proc/%d/stat", forker->child);
            show("/proc/%d/syscall", forker->child);
            show("/proc/%d/maps", forker->child);
            kill(forker->child, SIGKILL);
        }
    }
    if (hangs)
        syscall(SYS_exit_group, 3);
    errno = errno_;
}

/* While a thread holds this mutex, no library is being loaded, so a child may load one. Threads that want the
 * mutex for a fork come first. */
static pthread_mutex_t loading = PTHREAD_MUTEX_INITIALIZER;
static int wanted;

static void load(void) {
    void *library = dlopen("libm.so.6", RTLD_NOW);
    MUST(library && !dlclose(library));
}

static void *is_busy(void *number) {
    uint64_t lseeks = 0, writes = 0, random = (uint64_t)number + 1;
    void *kept[16] = {0};
    /* The threads that make processes have priority. */
    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), 19);
    for (COUNT(syscall); !is_over; usleep(random >> 50 & 0xfff)) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        switch ((long)number % 4) {
        case 0:
            while (__atomic_load_n(&wanted, __ATOMIC_RELAXED))
                usleep(100);
            pthread_mutex_lock(&loading);
            load();
            pthread_mutex_unlock(&loading);
            break;
        case 1: {
            int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
            writes += write(fd, "abc", 3) == 3;
            lseek(fd, 0, SEEK_SET);
            lseeks++;
            close(fd);
            break;
        }
        default:
            for (int i = 0; i < 100; i++) {
                random = random * 6364136223846793005u + 1442695040888963407u;
                void **place = &kept[random >> 60];
                free(*place);
                *place = malloc(random >> 33 & (random >> 40 & 0xff ? 0x1ff : 0x3ffff));
            }
        }
    }
    for (int i = 0; i < 16; i++)
        free(kept[i]);
    PLUS(account->counts[DOES_lseek], lseeks);
    PLUS(account->counts[DOES_write], writes);
    return NULL;
}

/* What children do. They do not outlive the process that waits for them. */
static void begin_image(void) {
    PLUS(account->images, 1);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}
static void write_a_little(void) {
    for (int i = 0; i < WRITES; i++) {
        COUNT(write);
        if (write(sink, "abc", 3) != 3)
            syscall(SYS_exit_group, 9);
    }
}

static __attribute__((noreturn)) void end(void) {
    COUNT(_exit);
    _exit(STATUS);
}

static int child_of_clone(void *is_image) {
    if (is_image)
        begin_image();
    write_a_little();
    return STATUS;
}

/* Its thread area contains no C library state, so Weir does not count its calls. */
static __attribute__((optimize("no-stack-protector"))) int child_elsewhere(void *unused) {
    (void)unused;
    return access("/", R_OK) ? 8 : STATUS;
}

static void await(int pid) {
    int status;
    pid_t ended;
    do ended = waitpid(pid, &status, 0);
    while (ended == -1 && errno == EINTR);
    if (ended != pid || !WIFEXITED(status) || WEXITSTATUS(status) != STATUS)
        fail("a child ended otherwise: pid, status", ended, status);
}

/* A thread area as the C library makes it, empty except for what a thread knows of itself. */
static void *thread_area(char *room, size_t size) {
    char *own = (char *)__builtin_thread_pointer(), *area = room + size / 2;
    memset(room, 0, size);
    memcpy(area, own, 0x40);
    *(void **)area = *(void **)(area + 16) = area;
    return area;
}

static long inline_fork(void) {
    return system_call(FORKING, 0, 0, 0, 0, 0);
}

/* Makes one process, and waits for it. `room` is memory for the child's stack and thread area. */
static void make_one(struct forker *forker, enum kind kind, unsigned long number, char *room) {
    char *words[] = {executable, "nothing", NULL};
    char *stack = room + STACK;
    volatile int pid = -1;
    int flags = SIGCHLD, loads = kind == KIND_fork && number % 8 == 0;
    volatile int depth = 0;
    forker->kind = (int)kind;
    forker->child = 0;
    forker->since = alarms;
    if (loads)
        PLUS(wanted, 1), pthread_mutex_lock(&loading);
    switch (kind) {
    case KIND_fork:
    again:
        COUNT(fork);
        if ((pid = fork()) == 0) {
            begin_image();
            free(malloc(number % 5000));
            if (loads)
                load();
            write_a_little();
            if (number % 8 == 1 && depth++ < 2)
                goto again;
            /* The C library unloads libraries with a lock that exit takes, too. */
            if (loads && number % 3 == 0)
                exit(STATUS);
            end();
        }
        break;
    case KIND__Fork:
    case KIND_syscall_fork:
    case KIND_clone3: {
        /* The first version of the structure in <linux/sched.h>. */
        struct { uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls; } arguments = {.exit_signal = SIGCHLD};
    anew:
        if (kind == KIND__Fork) {
            COUNT(_Fork);
            pid = _Fork();
        } else {
            COUNT(syscall);
            pid = (int)(kind == KIND_clone3 ? syscall(SYS_clone3, &arguments, sizeof arguments) : syscall(FORKING, 0, 0, 0));
        }
        if (pid == 0) {
            begin_image();
            write_a_little();
            if (number % 8 == 1 && depth++ < 2)
                goto anew;
            end();
        }
        break;
    }
    case KIND_inline_fork:
        /* No library sees this call. */
        if ((pid = (int)inline_fork()) == 0) {
            begin_image();
            write_a_little();
            end();
        }
        break;
    case KIND_vfork:
    case KIND_vfork_exec:
        COUNT(vfork);
        if ((pid = vfork()) == 0) {
            write_a_little();
            if (kind == KIND_vfork_exec) {
                COUNT(execv);
                execv(executable, words);
                _exit(9);
            }
            end();
        }
        if (kind == KIND_vfork_exec)
            PLUS(account->images, 1), COUNT(write);
        break;
    case KIND_posix_spawn: {
        pid_t spawned;
        COUNT(posix_spawn);
        MUST(!posix_spawn(&spawned, executable, NULL, NULL, words, environ));
        PLUS(account->images, 1), COUNT(write);
        pid = spawned;
        break;
    }
    case KIND_clone_vfork: flags |= CLONE_VM | CLONE_VFORK; /* fall through */
    case KIND_clone:
        COUNT(clone);
        pid = clone(child_of_clone, stack, flags, kind == KIND_clone ? &sink : NULL);
        break;
    case KIND_clone_settls:
        COUNT(clone);
        pid = clone(child_of_clone, stack, flags | CLONE_SETTLS, &sink, NULL, thread_area(room, STACK / 2), NULL);
        break;
    default:
        COUNT(clone);
        memset(room, 0, STACK / 2);
        flags |= CLONE_VM | CLONE_VFORK | CLONE_SETTLS;
        pid = clone(child_elsewhere, stack, flags, NULL, NULL, room + STACK / 4, NULL);
    }
    if (loads && !depth)
        pthread_mutex_unlock(&loading), PLUS(wanted, -1);
    if (pid < 0)
        fail("no child: kind, result", (long)kind, pid);
    forker->child = pid;
    write_a_little();
    await(pid);
    /* In the middle of a chain of children. */
    if (depth)
        end();
    forker->since = 0;
}

static enum kind only;

static void *forks(void *slot) {
    struct forker *forker = slot;
    char *room = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    MUST(room != MAP_FAILED);
    COUNT(syscall);
    forker->tid = (int)syscall(SYS_gettid);
    for (;;) {
        long number = __atomic_fetch_sub(&forks_left, 1, __ATOMIC_RELAXED);
        if (number <= 0)
            return NULL;
        if (only == KIND_COUNT)
            make_one(forker, (enum kind)(number % KIND_COUNT), (unsigned long)number / KIND_COUNT, room);
        else
            make_one(forker, only, (unsigned long)number, room);
    }
}

int main(int argc, char **argv) {
    if (argc == 2)
        return write(open("/dev/null", O_WRONLY), "x", 1) == 1 ? STATUS : 8;
    MUST(argc == 5);
    executable = argv[0];
    for (only = 0; only < KIND_COUNT && strcmp(argv[1], kind_names[only]); only++)
        ;
    MUST(only < KIND_COUNT || !strcmp(argv[1], "all"));
    forks_left = atol(argv[2]);
    int threads = atoi(argv[3]), forker_count = atoi(argv[4]);
    MUST(threads <= ENOUGH && forker_count <= ENOUGH);
    sink = open("/dev/null", O_WRONLY | O_CLOEXEC);
    account = mmap(NULL, sizeof *account, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    MUST(account != MAP_FAILED && sink >= 0);
    account->images = 1;

    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    struct itimerval second = {{1, 0}, {1, 0}};
    MUST(!sigaction(SIGALRM, &action, NULL) && !setitimer(ITIMER_REAL, &second, NULL));

    /* A fork copies all page tables. If stacks and heaps lie far apart, that takes most of its time. */
    pthread_attr_t attributes;
    MUST(!pthread_attr_init(&attributes) && !pthread_attr_setstacksize(&attributes, THREAD_STACK));
    MUST(mallopt(M_ARENA_MAX, ARENAS));

    pthread_t busy[ENOUGH], forking[ENOUGH];
    for (long i = 0; i < threads; i++)
        MUST(!pthread_create(&busy[i], &attributes, is_busy, (void *)i));
    for (int i = 0; i < forker_count; i++)
        MUST(!pthread_create(&forking[i], &attributes, forks, &forkers[i]));
    for (int i = 0; i < forker_count; i++)
        MUST(!pthread_join(forking[i], NULL));
    is_over = 1;
    for (int i = 0; i < threads; i++)
        MUST(!pthread_join(busy[i], NULL));

    printf("images %lu\n", account->images);
    for (int i = 0; i < COUNTS; i++)
        printf("%s %lu\n", count_names[i], account->counts[i]);
    return 0;
}
