/* weir.h: how a coroutine runtime registers itself with Weir.
 *
 * A runtime fills in a table and registers it once:
 *
 *     static const struct weir_coop runtime = {
 *         .abi = WEIR_COOP_ABI, .size = sizeof runtime, .name = "my runtime",
 *         .current = my_current, .wait_fd = my_wait_fd,
 *     };
 *     weir_coop_register_if_present(&runtime);
 *
 * From then on, a blocking call of the C library inside a coroutine, on a descriptor that can be polled, waits by the
 * runtime, and so lets other coroutines run. Calls outside coroutines, calls that do not block (O_NONBLOCK,
 * MSG_DONTWAIT), and calls on regular files go directly to the C library.
 *
 * A program does not link against Weir: this header looks the functions up in the running program (with a C library
 * older than glibc 2.34, that needs -ldl). Without Weir, the look-up finds nothing, and the program runs as usual.
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
/* A coroutine can wake up on another thread than the one on which it waited. */
#define WEIR_COOP_MIGRATES (UINT64_C(1) << 0)
/* Coroutines share a stack: its contents are moved away while their coroutine waits. */
#define WEIR_COOP_SHARED_STACKS (UINT64_C(1) << 1)
/* Several coroutines may wait for one descriptor by wait_fd at the same time. */
#define WEIR_COOP_MANY_WAITERS (UINT64_C(1) << 2)
/* The runtime interposes blocking calls itself: Weir counts only, and never waits. */
#define WEIR_COOP_INTERPOSES (UINT64_C(1) << 3)

struct pollfd;

struct weir_coop {
    uint32_t abi;     /* WEIR_COOP_ABI */
    uint32_t size;    /* sizeof (struct weir_coop) */
    uint64_t flags;   /* WEIR_COOP_..., or 0 */
    const char *name; /* name of the runtime, for the report */

    /* Returns the coroutine that runs on this thread: any pointer that is unique while the coroutine lives; NULL outside
     * coroutines. Must not allocate or block. Weir calls it for every counted call, on any thread, from the moment of
     * registration: also while the runtime still starts (in its threads, before their first coroutine), and in
     * the runtime's own allocations. The data that it reads must be ready before the runtime registers. */
    void *(*current)(void);

    /* Lets other coroutines run until `events` (as in poll(2)) happen on `fd`, or until `timeout_ms` milliseconds have
     * passed; -1 is no timeout. Returns the events that happened (more than 0), 0 after a timeout, or an errno as a
     * negative number. Weir calls it inside coroutines only, and holds no lock. Calls that it makes itself do not wait by
     * the runtime. They are counted separately, as the runtime's own; so are its allocations.
     *
     * -EINTR means that a signal was handled meanwhile. Weir then restarts the call where the kernel would (signal(7)): if
     * it moves bytes or makes a connection, has done nothing yet and has no timeout, and all handlers of the process have
     * SA_RESTART. Any other call fails with EINTR. If there is no handler, -EINTR means that the runtime interrupted the
     * coroutine, and the call fails with EINTR. With any other errno, the call fails with that errno.
     *
     * If Weir cannot make an epoll set or a timer, it calls this function for descriptors of the program: with short
     * timeouts, or for an event that does not happen (POLLPRI). */
    int (*wait_fd)(int fd, short events, int timeout_ms);

    /* All functions below are optional: they may be NULL. */

    /* As poll(2) (`timeout_ms` is in milliseconds), but lets other coroutines run. Returns an errno as a negative number.
     * Without it, Weir waits for several descriptors by wait_fd for an epoll set. */
    int (*poll)(struct pollfd *array, unsigned long count, int timeout_ms);

    /* Lets other coroutines run for `ns` nanoseconds. Returns 0, or an errno as a negative number. If it returns 0 too
     * early, Weir calls it again for the rest. -EINTR ends the sleep with EINTR and the remaining time, as a handled signal
     * does. Without this function, or after any other errno, Weir waits by wait_fd for a timerfd. */
    int (*sleep_ns)(uint64_t ns);

    /* Wakes the coroutines that wait for `fd`, and drops all state of that descriptor. Weir calls it when a function of
     * the C library is about to close a descriptor that coroutines wait for or have waited for. Their calls fail with EBADF,
     * whatever wait_fd returns. The function may run these coroutines before it returns, and may return on another
     * thread; the descriptor is still open then. Without WEIR_COOP_MANY_WAITERS, Weir also calls it for the descriptors of
     * its own that further coroutines wait for. Without this function, they wake when their timeout expires. */
    void (*fd_closing)(int fd);

    /* Stores the lowest address of a coroutine's stack, and the address after its highest byte. Returns 0, or an errno as a
     * negative number. Weir calls it if stacks are shared, to copy arguments that would move. */
    int (*stack_bounds)(void *coroutine, void **low, void **high);

    /* Calls work(argument) on a thread that may block, and lets other coroutines run meanwhile. Returns 0
     * after the call, or an errno as a negative number if it did not call it. Weir uses it for
     * getaddrinfo, which waits inside the C library, where calls cannot be interposed. */
    int (*run_blocking)(void (*work)(void *), void *argument);

    /* Writes the name of a coroutine to `name`, at most `size` bytes, without a NUL. Returns the number of bytes;
     * 0 means no name. Must not allocate or block. */
    size_t (*coroutine_name)(void *coroutine, char *name, size_t size);
};

/* Scopes of weir_coop_enable. */
#define WEIR_COOP_THREAD 0    /* the calling thread, whatever runs on it */
#define WEIR_COOP_COROUTINE 1 /* the running coroutine, on any thread */

/* The types of the functions that Weir exports:
 *
 * weir_coop_register  Registers a runtime; Weir copies the table. Returns 0, or a negative number: -EINVAL if this Weir
 *                     does not know the table, -EALREADY if a runtime is registered.
 * weir_coop_enable    Sets whether blocking calls wait by the runtime: 0 no, 1 yes (the default). Returns the previous
 *                     value, or a negative number: -EINVAL; -ENOSPC if too many coroutines have set it to 0.
 * weir_coop_ended     Reports the end of a coroutine, whose pointer may be reused. Without it, two coroutines with the same
 *                     pointer are counted as one.
 */
typedef int weir_coop_register_fn(const struct weir_coop *runtime);
typedef int weir_coop_enable_fn(int scope, int enable);
typedef void weir_coop_ended_fn(void *coroutine);

#ifndef WEIR_NO_LOOKUP
#include <dlfcn.h>
#include <errno.h>

/* As weir_coop_register. Returns -ENOENT if the program runs without Weir. */
static inline int weir_coop_register_if_present(const struct weir_coop *runtime) {
    weir_coop_register_fn *found = NULL;
    *(void **)&found = dlsym(RTLD_DEFAULT, "weir_coop_register");
    return found != NULL ? found(runtime) : -ENOENT;
}

/* As weir_coop_enable. Returns -ENOENT if the program runs without Weir. */
static inline int weir_coop_enable_if_present(int scope, int enable) {
    weir_coop_enable_fn *found = NULL;
    *(void **)&found = dlsym(RTLD_DEFAULT, "weir_coop_enable");
    return found != NULL ? found(scope, enable) : -ENOENT;
}

/* As weir_coop_ended. Does nothing if the program runs without Weir. */
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
