/* State Threads, registered with Weir: this is all that a runtime in C needs to do. */
#include "weir_st.h"

#include <poll.h>
#include <st.h>
#include <weir.h>

/* What st_thread_self() says is no use: the library's own idle thread, which calls epoll_wait, is a thread as well. */
static int own;

static void *current(void) { return st_thread_getspecific(own); }

/* Who waits. The list is made of the stacks of those who are in it. */
static struct waiter {
    int fd;
    st_thread_t thread;
    struct waiter *next, **link;
} *waiters;

static int wait_fd(int fd, short events, int timeout_ms) {
    /* The library knows no other events; errors and hang-ups come unasked. */
    struct pollfd one = {.fd = fd, .events = events & (POLLIN | POLLOUT | POLLPRI)};
    struct waiter me = {fd, st_thread_self(), waiters, &waiters};
    if (me.next != NULL)
        me.next->link = &me.next;
    waiters = &me;
    int ready = st_poll(&one, 1, timeout_ms < 0 ? ST_UTIME_NO_TIMEOUT : timeout_ms * 1000ull);
    int error = errno;
    *me.link = me.next;
    if (me.next != NULL)
        me.next->link = me.link;
    return ready < 0 ? -error : ready == 0 ? 0 : one.revents;
}

static int sleep_ns(uint64_t ns) { return st_usleep(ns / 1000 + (ns % 1000 != 0)) == 0 ? 0 : -errno; }

static void fd_closing(int fd) {
    for (struct waiter *one = waiters; one != NULL; one = one->next)
        if (one->fd == fd)
            st_thread_interrupt(one->thread);
}

void weir_st_begin(void *id) { st_thread_setspecific(own, id); }

int weir_st_register(void) {
    static const struct weir_coop runtime = {
        .abi = WEIR_COOP_ABI, .size = sizeof runtime, .flags = WEIR_COOP_MANY_WAITERS, .name = "State Threads",
        .current = current, .wait_fd = wait_fd, .sleep_ns = sleep_ns, .fd_closing = fd_closing,
    };
    /* The destructor of the key is called when a thread ends. */
    return st_key_create(&own, weir_coop_ended_if_present) == 0 ? weir_coop_register_if_present(&runtime) : -errno;
}
