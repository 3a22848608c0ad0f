/* The torture program's own account, in a file that all its processes share.
 *
 * Each function has two counts: `begun` is incremented before a call, `done` after it. A call may not return: a
 * jump, a cancellation, or the end of the process can end it. Others may or may not have seen such a call, so the
 * truth lies between the two counts. The same holds for moved bytes. A thread that ends its image while other
 * threads run announces that first: their later calls do not count as `done`.
 *
 * The account is kept by additions to memory and bare system calls, which no library can count. */
#ifndef ACCOUNT_H
#define ACCOUNT_H

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../system_call.h"

#define EACH(F)                                                                                        \
    F(malloc) F(calloc) F(realloc) F(reallocarray) F(free) F(posix_memalign) F(aligned_alloc)            \
    F(memalign) F(malloc_usable_size) F(open) F(openat) F(close) F(read) F(write) F(pread) F(pwrite)     \
    F(readv) F(writev) F(lseek) F(ftruncate) F(fsync) F(dup) F(dup2) F(fcntl) F(pipe) F(pipe2)           \
    F(eventfd) F(memfd_create) F(socketpair) F(socket) F(bind) F(listen) F(connect) F(accept) F(send)    \
    F(recv) F(poll) F(nanosleep) F(usleep) F(mmap) F(munmap) F(mremap) F(madvise) F(stat) F(fstat)       \
    F(access) F(readlink) F(unlink) F(rename) F(mkdir) F(rmdir) F(opendir) F(readdir) F(closedir)        \
    F(fopen) F(fclose) F(fflush) F(fread) F(fwrite) F(fgets) F(fputs) F(fgetc) F(fputc) F(fprintf)       \
    F(rewind) F(popen) F(pclose) F(fork) F(_Fork) F(vfork) F(clone) F(posix_spawn) F(posix_spawnp)       \
    F(execv) F(execve) F(execvp) F(execl) F(fexecve) F(_exit) F(_Exit) F(quick_exit) F(prctl) F(syscall) \
    F(sigaction) F(signal)

#define AS_ENUM(name) DOES_##name,
enum { EACH(AS_ENUM) FUNCTIONS };
#define AS_NAME(name) #name,
static const char *const names[FUNCTIONS] = {EACH(AS_NAME)};

struct count {
    uint64_t begun, done, moved_most, moved_least;
};

enum { ENDS = 1 << 16, SIGNALED = 0x100 };

struct account {
    struct count counts[FUNCTIONS];
    /* How many more processes may be made. */
    int64_t processes_left;
    /* How many checks failed. */
    uint64_t wrong;
    /* The end that the first process announced. */
    uint64_t root_end;
    /* The end that each process announced, by its id. */
    uint64_t ends[ENDS];
};

static struct account *account;

#define PLUS(place, by) __atomic_fetch_add(&(place), (by), __ATOMIC_RELAXED)
#define LOAD(place) __atomic_load_n(&(place), __ATOMIC_ACQUIRE)
#define STORE(place, to) __atomic_store_n(&(place), (to), __ATOMIC_RELEASE)

/* A system call that no library sees. */
static inline long bare(long number, long a, long b, long c, long d, long e, long f) {
    return system_call(number, a, b, c, d, e, f);
}
#define BARE1(name, a) bare(SYS_##name, (long)(a), 0, 0, 0, 0, 0)
#define BARE2(name, a, b) bare(SYS_##name, (long)(a), (long)(b), 0, 0, 0, 0)
#define BARE3(name, a, b, c) bare(SYS_##name, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define BARE4(name, a, b, c, d) bare(SYS_##name, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)

static inline int own_pid(void) { return (int)BARE1(getpid, 0); }
static inline int own_tid(void) { return (int)BARE1(gettid, 0); }

static char *digits(char *to, uint64_t number) {
    char text[24];
    int length = 0;
    do text[length++] = (char)('0' + number % 10);
    while (number /= 10);
    while (length) *to++ = text[--length];
    *to = 0;
    return to;
}

/* A check failed: prints and counts that, and continues. */
static void wrong(const char *what, uint64_t one, uint64_t other) {
    char line[300] = "torture: ", *at = line + strlen(line);
    at = stpncpy(at, what, 200);
    *at++ = ' ';
    at = digits(at, one);
    *at++ = ' ';
    at = digits(at, other);
    *at++ = '\n';
    BARE3(write, 2, line, at - line);
    PLUS(account->wrong, 1);
}
#define MUST(truth) ((truth) ? (void)0 : wrong("must be: " #truth ", line, errno:", __LINE__, (uint64_t)errno))

/* Set by the thread that ends the image, while others run. */
static int ending;
/* A check of what a stream returns. exit takes the buffers of all streams, also of those that another thread has
 * locked, and that thread loses what it was reading (glibc 2.36, _IO_unbuffer_all; seen without Weir). */
#define MUST_BEFORE_END(truth) MUST((truth) || LOAD(ending))
static __thread int is_ender;

/* Which process this is. A child that a handler made continues calls that its parent began, and that its parent
 * also completes. */
static volatile int generation;

/* The call that a thread is in. */
struct call {
    int function;
    uint64_t most;
};
static __thread volatile struct call current;

static inline void add_begun(int function, uint64_t most) {
    PLUS(account->counts[function].begun, 1);
    PLUS(account->counts[function].moved_most, most);
}
static inline int begin_moving(int function, uint64_t most) {
    int begun_in = generation;
    current.function = function;
    current.most = most;
    add_begun(function, most);
    return begun_in;
}
static inline int begin(int function) { return begin_moving(function, 0); }
static inline int is_seen(int of_generation) { return of_generation == generation && (!LOAD(ending) || is_ender); }
static inline void finish(int function) {
    if (is_seen(generation))
        PLUS(account->counts[function].done, 1);
}

/* Set while a thread notes that a call is done. A child that a handler makes then, and that returns, would note it once more. */
static __thread volatile int is_noting;
#define IF_SEEN(of_generation, note) \
    do {                             \
        is_noting = 1;               \
        if (is_seen(of_generation))  \
            note;                    \
        is_noting = 0;               \
    } while (0)

/* A call that returns. */
#define CALL(name, expression)                 \
    ({                                         \
        int generation_ = begin(DOES_##name);  \
        __typeof__(expression) result_ = (expression); \
        IF_SEEN(generation_, finish(DOES_##name)); \
        result_;                               \
    })
#define DO(name, expression) \
    do {                                      \
        int generation_ = begin(DOES_##name); \
        expression;                           \
        IF_SEEN(generation_, finish(DOES_##name)); \
    } while (0)
/* A call that moves at most `most` bytes. */
#define MOVE(name, most, expression)                                              \
    ({                                                                            \
        uint64_t most_ = (uint64_t)(most);                                        \
        struct count *count_ = &account->counts[DOES_##name];                     \
        int generation_ = begin_moving(DOES_##name, most_);                       \
        long moved_ = (long)(expression);                                         \
        IF_SEEN(generation_, {                                                    \
            uint64_t bytes_ = moved_ > 0 ? (uint64_t)moved_ : 0;                  \
            PLUS(count_->moved_least, bytes_);                                    \
            PLUS(count_->moved_most, bytes_ - most_);                             \
            finish(DOES_##name);                                                  \
        });                                                                       \
        moved_;                                                                   \
    })
/* A call that does not return. Nothing can keep this thread from making it. */
#define LAST(name, expression) \
    do {                       \
        begin(DOES_##name);    \
        finish(DOES_##name);   \
        expression;            \
    } while (0)

/* Announces how this process will end: by a status, or by SIGNALED + a signal. */
static void mean_to_end(int how) {
    int pid = own_pid();
    STORE(account->ends[pid % ENDS], (uint64_t)pid << 32 | 1 << 16 | (unsigned)how);
}

/* Checks that a process has ended as it announced. A process without announcement is not one of ours, and
 * succeeds. Or it is a child of posix_spawn that did not find its program, and whose parent has ended. */
static void check_end(int pid, int status) {
    uint64_t told = LOAD(account->ends[pid % ENDS]);
    int meant = told >> 32 == (uint64_t)pid ? (int)(told & 0xffff) : 0;
    int ended = status & 0x7f ? SIGNALED + (status & 0x7f) : (status >> 8 & 0xff);
    if (meant != ended && !(meant == 0 && ended == 127))
        wrong("a process meant to end as, and ended as (256 and more: by a signal):", (uint64_t)meant, (uint64_t)ended);
}

/* Maps the file. Sets its length, if it is new. */
static int attach(const char *path) {
    long fd = BARE4(openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || BARE2(ftruncate, fd, sizeof *account))
        return -1;
    long at = bare(SYS_mmap, 0, sizeof *account, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    BARE1(close, fd);
    if (at < 0)
        return -1;
    account = (struct account *)at;
    return 0;
}

static void tell(void) {
    for (int f = 0; f < FUNCTIONS; f++) {
        struct count *c = &account->counts[f];
        if (c->begun)
            printf("%s %lu %lu %lu %lu\n", names[f], c->done, c->begun, c->moved_least, c->moved_most);
    }
    printf("end %lu\nwrong %lu\n", account->root_end, account->wrong);
}

#endif
