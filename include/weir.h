/* weir.h: how a coroutine runtime tells Weir about itself.
 *
 * A runtime fills in a table, and hands it over once:
 *
 *     static const struct weir_coop runtime = {
 *         .abi = WEIR_COOP_ABI, .size = sizeof runtime, .name = "my runtime",
 *         .current = my_current, .wait_fd = my_wait_fd,
 *     };
 *     weir_coop_register_if_present(&runtime);
 *
 * From then on a blocking call of the C library that is made inside a coroutine, on a descriptor that can be
 * waited for, waits by the runtime, and so lets other coroutines run. Calls made elsewhere, on descriptors that
 * do not block (O_NONBLOCK, MSG_DONTWAIT), and on regular files go straight to the C library.
 *
 * Nothing is linked: the functions are looked up in the running program (on a C library older than
 * glibc 2.34 that needs -ldl). Without Weir the look-up finds nothing, and the program runs as it does anyway.
 *
 * MIT OR Apache-2.0
 */
#ifndef WEIR_H
#define WEIR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of the table. It changes only where a program built with the old one would break. */
#define WEIR_COOP_ABI 1u

/* Flags. */
/* A coroutine may wake up on another thread than the one it waited on. */
#define WEIR_COOP_MIGRATES (UINT64_C(1) << 0)
/* Coroutines share a stack: what is on it moves away while its coroutine waits. */
#define WEIR_COOP_SHARED_STACKS (UINT64_C(1) << 1)
/* wait_fd may be called for a descriptor that another coroutine is waiting for. */
#define WEIR_COOP_MANY_WAITERS (UINT64_C(1) << 2)
/* The runtime interposes blocking calls itself: Weir counts, and never waits. */
#define WEIR_COOP_INTERPOSES (UINT64_C(1) << 3)

struct pollfd;

struct weir_coop {
    uint32_t abi;     /* WEIR_COOP_ABI */
    uint32_t size;    /* sizeof (struct weir_coop) */
    uint64_t flags;   /* WEIR_COOP_..., or 0 */
    const char *name; /* of the runtime, for the report */

    /* The coroutine that runs on this thread: any pointer that is its own while it lives. NULL outside
     * coroutines. Must not allocate, block, or call what blocks: it is called for every counted call, on any thread,
     * from the moment of registration on. So it is asked while the runtime still starts (in threads that it makes, before
     * their first coroutine), and in the runtime's own allocations; what it looks at must be there by then. */
    void *(*current)(void);

    /* Lets other coroutines run until `events` (as of poll(2)) happen on `fd`, or `timeout_ms` have passed; -1 is
     * for ever. Returns what happened (more than 0), 0 where the time passed, or an errno as a negative
     * number. Is called inside coroutines only, with no lock held. What it calls itself is not made to wait, and is
     * counted apart, as the runtime's own: what it allocates is not the coroutine's.
     *
     * -EINTR says that a signal was handled meanwhile. The call then ends as the kernel's would (signal(7)): one that moves
     * bytes, or makes a connection, has done nothing yet and has no timeout goes on, where all of the process's handlers
     * have SA_RESTART; any other fails with EINTR. Where there is no handler, the runtime has interrupted the coroutine by
     * itself, and the call fails with EINTR. Any other errno is what the call fails with.
     *
     * Where no descriptor can be had for a set or a timer, it is called for descriptors of the program's, with short times
     * or for what does not happen (POLLPRI). */
    int (*wait_fd)(int fd, short events, int timeout_ms);

    /* All that follow may be NULL. */

    /* As poll(2), but it lets other coroutines run. Returns an errno as a negative number. Without it, Weir waits
     * for several descriptors by wait_fd for an epoll set. */
    int (*poll)(struct pollfd *array, unsigned long count, int timeout_ms);

    /* Lets other coroutines run for so long. Returns 0; where that is too early, it is called again for the rest. Or an
     * errno as a negative number: -EINTR ends the call with EINTR and what is left of its time, as a handled signal does.
     * Without it, or where it fails otherwise, Weir waits by wait_fd for a timerfd. */
    int (*sleep_ns)(uint64_t ns);

    /* `fd`, which coroutines wait for or have waited for, is about to be closed by a function of the C library: wakes
     * those who wait, and forgets what it knows of the number. What their wait_fd returns does not matter: the
     * calls that wait fail with EBADF. It may run those who wait at once, before it returns, and return on another thread;
     * the number is still open then. Where several wait, and may not for one descriptor, it is called for those of Weir's
     * too that they wait for. Without it, they wake when their time has passed. */
    void (*fd_closing)(int fd);

    /* Where the stack of a coroutine is. Returns 0, or an errno as a negative number. Weir asks where stacks are
     * shared, so as to copy what would move. */
    int (*stack_bounds)(void *coroutine, void **low, void **high);

    /* Calls work(argument) on a thread where it may block, and lets other coroutines run meanwhile. Returns 0
     * once it has been called, or, without calling it, an errno as a negative number. For
     * getaddrinfo, which waits inside the C library where nobody can interpose. */
    int (*run_blocking)(void (*work)(void *), void *argument);

    /* Writes the name of a coroutine, cut to `size` bytes; no NUL is needed. Returns how many bytes there are;
     * 0 is no name. Must not allocate or block. */
    size_t (*coroutine_name)(void *coroutine, char *name, size_t size);
};

/* For whom weir_coop_enable says something. */
#define WEIR_COOP_THREAD 0    /* the calling thread, whatever runs on it */
#define WEIR_COOP_COROUTINE 1 /* the coroutine that runs, wherever it goes */

/* The types of what can be looked up:
 *
 * weir_coop_register  Takes over a copy of the table. Returns 0; or, as negative numbers, EINVAL where it is not
 *                     one that this Weir knows, EALREADY where there is a runtime.
 * weir_coop_enable    Whether blocking calls wait by the runtime: 0 no, 1 yes, as at first. Returns what it was; or,
 *                     as negative numbers, EINVAL, or ENOSPC where too many coroutines have said no.
 * weir_coop_ended     A coroutine is no more; another may get its pointer. Without it, what both do is counted
 *                     as of one.
 */
typedef int weir_coop_register_fn(const struct weir_coop *runtime);
typedef int weir_coop_enable_fn(int scope, int enable);
typedef void weir_coop_ended_fn(void *coroutine);

#ifndef WEIR_NO_LOOKUP
#include <dlfcn.h>
#include <errno.h>

/* Registers a runtime. ENOENT, as a negative number, where the program runs without Weir. */
static inline int weir_coop_register_if_present(const struct weir_coop *runtime) {
    weir_coop_register_fn *found = NULL;
    *(void **)&found = dlsym(RTLD_DEFAULT, "weir_coop_register");
    return found != NULL ? found(runtime) : -ENOENT;
}

/* As weir_coop_enable; ENOENT, as a negative number, where the program runs without Weir. */
static inline int weir_coop_enable_if_present(int scope, int enable) {
    weir_coop_enable_fn *found = NULL;
    *(void **)&found = dlsym(RTLD_DEFAULT, "weir_coop_enable");
    return found != NULL ? found(scope, enable) : -ENOENT;
}

/* As weir_coop_ended, where the program runs with Weir. */
static inline void weir_coop_ended_if_present(void *coroutine) {
    weir_coop_ended_fn *found = NULL;
    *(void **)&found = dlsym(RTLD_DEFAULT, "weir_coop_ended");
    if (found != NULL)
        found(coroutine);
}
#endif

#ifdef __cplusplus
}
#endif

#endif
