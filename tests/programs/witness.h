/* A victim's own account of its calls: the truth that a report is compared with.
 *
 * Every call goes through a macro or function of this file, which notes it. A bare system call prints the account;
 * no library can count that. Notes are atomic additions only, so threads and signal handlers may make them, too. */
#ifndef WITNESS_H
#define WITNESS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "functions.h"
#include "system_call.h"

#define AS_ENUM(name) DOES_##name,
enum { EACH_FUNCTION(AS_ENUM) FUNCTIONS };

#define AS_NAME(name) #name,
static const char *const function_names[FUNCTIONS] = {EACH_FUNCTION(AS_NAME)};

enum { MOST_ERRNOS = 134 };

struct tally {
    unsigned long calls, errors, requested, moved;
    unsigned long classes[64];
    unsigned long errnos[MOST_ERRNOS];
};

static struct tally tallies[FUNCTIONS];
static long live_bytes, live_blocks, peak_bytes;
static long inherited_bytes, inherited_blocks;

#define PLUS(place, by) __atomic_fetch_add(&(place), (by), __ATOMIC_RELAXED)

static __attribute__((unused)) void note_call(int function) { PLUS(tallies[function].calls, 1); }

static __attribute__((unused)) void note_size(int function, size_t size) {
    PLUS(tallies[function].requested, size);
    PLUS(tallies[function].classes[63 - __builtin_clzl(size | 1)], 1);
}

static __attribute__((unused)) void note_error(int function, int number) {
    PLUS(tallies[function].errors, 1);
    if (number > 0 && number < MOST_ERRNOS)
        PLUS(tallies[function].errnos[number], 1);
}

/* A call that moves bytes: CALL returns how many, or -1. */
#define MOVE(name, size, CALL)                                      \
    ({                                                              \
        size_t size_ = (size);                                      \
        note_call(DOES_##name);                                     \
        note_size(DOES_##name, size_);                              \
        long moved_ = (CALL);                                       \
        int errno_ = errno;                                         \
        if (moved_ < 0)                                             \
            note_error(DOES_##name, errno_);                        \
        else                                                        \
            PLUS(tallies[DOES_##name].moved, (unsigned long)moved_); \
        errno = errno_;                                             \
        moved_;                                                     \
    })

/* Many victims start threads, by the plain name. */
#define pthread_create(...)                              \
    ({                                                   \
        note_call(DOES_pthread_create);                  \
        int error_ = pthread_create(__VA_ARGS__);        \
        if (error_)                                      \
            note_error(DOES_pthread_create, error_);     \
        error_;                                          \
    })

/* A call that returns -1 on failure, and has no size. */
#define TRY(name, CALL)                      \
    ({                                       \
        note_call(DOES_##name);              \
        long result_ = (CALL);               \
        int errno_ = errno;                  \
        if (result_ < 0)                     \
            note_error(DOES_##name, errno_); \
        errno = errno_;                      \
        result_;                             \
    })

/* These macros note waits for children everywhere: many victims wait, and few are about waiting. */
#define wait(...) ((pid_t)TRY(wait, wait(__VA_ARGS__)))
#define waitpid(...) ((pid_t)TRY(waitpid, waitpid(__VA_ARGS__)))
#define wait4(...) ((pid_t)TRY(wait4, wait4(__VA_ARGS__)))

/* The same as TRY, with a size. */
#define SIZED(name, size, CALL)            \
    ({                                     \
        note_size(DOES_##name, (size));    \
        TRY(name, CALL);                   \
    })

/* A call that returns NULL on failure. */
#define GET(name, CALL)                      \
    ({                                       \
        note_call(DOES_##name);              \
        __typeof__(CALL) got_ = (CALL);      \
        int errno_ = errno;                  \
        if (!got_)                           \
            note_error(DOES_##name, errno_); \
        errno = errno_;                      \
        got_;                                \
    })

/* A call that returns an errno on failure. */
#define NUMBER(name, CALL)                   \
    ({                                       \
        note_call(DOES_##name);              \
        int number_ = (int)(CALL);           \
        if (number_)                         \
            note_error(DOES_##name, number_); \
        number_;                             \
    })

/* A call that cannot fail, or whose result is no failure. It moves `bytes` bytes. */
#define DONE(name, bytes, CALL)                                      \
    ({                                                               \
        note_call(DOES_##name);                                      \
        PLUS(tallies[DOES_##name].moved, (unsigned long)(bytes));    \
        (CALL);                                                      \
    })

/* So it is with waits for threads. */
#define pthread_join(...) NUMBER(pthread_join, pthread_join(__VA_ARGS__))
#define pthread_cond_wait(...) NUMBER(pthread_cond_wait, pthread_cond_wait(__VA_ARGS__))
#define pthread_cond_timedwait(...) NUMBER(pthread_cond_timedwait, pthread_cond_timedwait(__VA_ARGS__))
#define pthread_barrier_wait(...) ((int)DONE(pthread_barrier_wait, 0, pthread_barrier_wait(__VA_ARGS__)))

/* A call that fails with `number`, whatever it returns. */
#define FAIL(name, number, CALL)          \
    ({                                    \
        note_call(DOES_##name);           \
        note_error(DOES_##name, (number)); \
        (CALL);                           \
    })

/* Declares a function that is called by another name of it, or by its fortified name. */
#define NAMED(result, as, symbol, ...) extern result as(__VA_ARGS__) __asm__(#symbol)

static __attribute__((unused)) size_t usable(void *block) {
    note_call(DOES_malloc_usable_size);
    return malloc_usable_size(block);
}

static __attribute__((unused)) void heap_changed(long bytes, long blocks) {
    long live = PLUS(live_bytes, bytes) + bytes;
    PLUS(live_blocks, blocks);
    long peak = __atomic_load_n(&peak_bytes, __ATOMIC_RELAXED);
    while (live > peak && !__atomic_compare_exchange_n(&peak_bytes, &peak, live, 1,
                                                       __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
}

/* A call that allocates a block: CALL returns it, or NULL. */
#define MAKE(name, size, CALL)                  \
    ({                                          \
        size_t size_ = (size);                  \
        note_call(DOES_##name);                 \
        note_size(DOES_##name, size_);          \
        void *block_ = (CALL);                  \
        if (block_)                             \
            heap_changed(usable(block_), 1);    \
        else                                    \
            note_error(DOES_##name, 0);         \
        block_;                                 \
    })

/* A call that resizes `old`. realloc to 0 frees the block, which is no failure. */
#define RESIZE(name, old, size, CALL)                             \
    ({                                                            \
        void *old_ = (old);                                       \
        size_t size_ = (size);                                    \
        long before_ = old_ ? (long)usable(old_) : 0;             \
        note_call(DOES_##name);                                   \
        note_size(DOES_##name, size_);                            \
        void *block_ = (CALL);                                    \
        if (block_)                                               \
            heap_changed((long)usable(block_) - before_, !old_);  \
        else if (old_ && !size_)                                  \
            heap_changed(-before_, -1);                           \
        else                                                      \
            note_error(DOES_##name, 0);                           \
        block_;                                                   \
    })

/* A call that frees `old`. */
#define DROP(name, old, CALL)                    \
    do {                                         \
        void *old_ = (old);                      \
        if (old_)                                \
            heap_changed(-(long)usable(old_), -1); \
        note_call(DOES_##name);                  \
        CALL;                                    \
    } while (0)

static __attribute__((unused)) void *make(size_t size) { return MAKE(malloc, size, malloc(size)); }
static __attribute__((unused)) void drop(void *block) { DROP(free, block, free(block)); }

/* The descriptor that the account is written to. */
static int told_to = 1;

/* A system call that no library sees. */
static __attribute__((unused)) long bare(long number, long one, const void *two, size_t three) {
    return system_call(number, one, (long)two, (long)three, 0, 0, 0);
}

/* Not inlined: its frame is large, and some victims have small stacks. */
static __attribute__((format(printf, 1, 2), noinline, unused)) void say(const char *format, ...) {
    char line[4096];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    bare(SYS_write, told_to, line, (size_t)length);
}

/* Prints the account of this process image. */
static __attribute__((unused)) void tell(void) {
    static char text[1 << 16];
    int at = 0;
#define ADD(...) at += snprintf(text + at, sizeof text - (size_t)at, __VA_ARGS__)
    ADD("witness image %d\n", (int)bare(SYS_getpid, 0, NULL, 0));
    for (int f = 0; f < FUNCTIONS; f++) {
        struct tally *t = &tallies[f];
        if (!t->calls)
            continue;
        ADD("witness call %s %lu %lu %lu %lu classes", function_names[f], t->calls, t->errors,
            t->requested, t->moved);
        for (int c = 0; c < 64; c++)
            if (t->classes[c])
                ADD(" %d:%lu", c, t->classes[c]);
        ADD(" errnos");
        for (int e = 1; e < MOST_ERRNOS; e++)
            if (t->errnos[e])
                ADD(" %d:%lu", e, t->errnos[e]);
        ADD("\n");
    }
    ADD("witness heap %ld %ld %ld %ld %ld\n", live_bytes, live_blocks, peak_bytes, inherited_bytes,
        inherited_blocks);
#undef ADD
    bare(SYS_write, told_to, text, (size_t)at);
}

/* With counting.c: everything that it counted, including the victim's own calls. */
struct heap {
    long live_bytes, live_blocks, inherited_bytes, inherited_blocks;
};
extern void counted(struct tally *into, struct heap *heap);
extern void count_again(void);

static inline void tell_counted(void) {
    struct heap heap;
    counted(tallies, &heap);
    live_bytes = heap.live_bytes;
    live_blocks = heap.live_blocks;
    inherited_bytes = heap.inherited_bytes;
    inherited_blocks = heap.inherited_blocks;
    tell();
}

/* In a child of fork: begins an account of its own, with the inherited heap. */
static __attribute__((unused)) void begin_again(void) {
    memset(tallies, 0, sizeof tallies);
    peak_bytes = inherited_bytes = live_bytes;
    inherited_blocks = live_blocks;
}

/* Ends the victim if something that the test requires did not happen. */
#define MUST(what)                                                       \
    do {                                                                 \
        if (!(what)) {                                                   \
            say("%s:%d: not so: %s (errno %d)\n", __FILE__, __LINE__, #what, errno); \
            bare(SYS_exit_group, 99, NULL, 0);                           \
        }                                                                \
    } while (0)

#endif
