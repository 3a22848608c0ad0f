// A minimal coroutine runtime: ucontext, poll, and the interface of weir.h. A test includes it, makes coroutines with
// `go`, and calls `run`.
#ifndef COROUTINES_H
#define COROUTINES_H
#define _GNU_SOURCE
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include "system_call.h"
#include "weir.h"

enum { MOST = 1024, STACK = 128 * 1024 };

struct coroutine {
    ucontext_t context;
    void (*body)(void *);
    void *argument;
    const char *name;
    int is_done, is_ready, fd, revents;
    short events;
    double until; // 0: without limit
};

static struct coroutine *all[MOST];
static int count;
static ucontext_t scheduler;
static struct coroutine *running;
static int is_registered;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

// Not the C library's poll: it is interposed, and would count as a wait of the test's.
static int plain_poll(struct pollfd *array, int length, int timeout_ms);
static void yield_until(int fd, short events, double until);

static void *current(void) { return running; }

static void start(unsigned low, unsigned high) {
    struct coroutine *self = (void *)((unsigned long)high << 32 | low);
    self->body(self->argument);
    self->is_done = 1;
    weir_coop_ended_if_present(self);
    setcontext(&scheduler);
}

static struct coroutine *go(const char *name, void (*body)(void *), void *argument) {
    struct coroutine *made = calloc(1, sizeof *made);
    assert(count < MOST);
    getcontext(&made->context);
    made->context.uc_stack.ss_sp = malloc(STACK);
    made->context.uc_stack.ss_size = STACK;
    made->name = name;
    made->body = body;
    made->argument = argument;
    made->is_ready = 1;
    unsigned long self = (unsigned long)made;
    makecontext(&made->context, (void (*)(void))start, 2, (unsigned)self, (unsigned)(self >> 32));
    all[count++] = made;
    return made;
}

static void yield_until(int fd, short events, double until) {
    struct coroutine *self = running;
    self->fd = fd;
    self->events = events;
    self->until = until;
    self->is_ready = 0;
    self->revents = 0;
    swapcontext(&self->context, &scheduler);
}

static int wait_fd(int fd, short events, int timeout_ms) {
    struct coroutine *self = running;
    yield_until(fd, events, timeout_ms < 0 ? 0 : now() + timeout_ms / 1e3);
    return self->revents;
}

#ifndef NO_SLEEP
static int sleep_ns(uint64_t ns) {
    yield_until(-1, 0, now() + ns / 1e9);
    return 0;
}
#endif

#ifdef TOLD
static void TOLD(int fd);
#endif

static void fd_closing(int fd) {
#ifdef TOLD
    TOLD(fd);
#endif
    for (int i = 0; i < count; i++)
        if (!all[i]->is_done && !all[i]->is_ready && all[i]->fd == fd) {
            all[i]->is_ready = 1;
            all[i]->revents = POLLNVAL;
        }
}

static size_t coroutine_name(void *coroutine, char *name, size_t size) {
    const char *own = ((struct coroutine *)coroutine)->name;
    size_t length = strlen(own);
    memcpy(name, own, length < size ? length : size);
    return length;
}

#ifdef RUN_BLOCKING
struct work {
    void (*work)(void *);
    void *argument;
    int ends[2];
};

static int blocking_runs;

static void *run_work(void *argument) {
    struct work *work = argument;
    work->work(work->argument);
    blocking_runs++;
    assert(write(work->ends[1], "x", 1) == 1);
    return NULL;
}

static int run_blocking(void (*run)(void *), void *argument) {
    struct work work = {run, argument, {0, 0}};
    pthread_t thread;
    assert(pipe(work.ends) == 0 && pthread_create(&thread, NULL, run_work, &work) == 0);
    yield_until(work.ends[0], POLLIN, 0);
    pthread_join(thread, NULL);
    close(work.ends[0]);
    close(work.ends[1]);
    return 0;
}
#endif

#ifndef FLAGS
#define FLAGS WEIR_COOP_MANY_WAITERS
#endif

static const struct weir_coop runtime = {
    .abi = WEIR_COOP_ABI,
    .size = sizeof runtime,
    .flags = FLAGS,
    .name = "test runtime",
    .current = current,
    .wait_fd = wait_fd,
#ifndef NO_SLEEP
    .sleep_ns = sleep_ns,
#endif
#ifndef NO_CLOSING
    .fd_closing = fd_closing,
#endif
    .coroutine_name = coroutine_name,
#ifdef RUN_BLOCKING
    .run_blocking = run_blocking,
#endif
};

// Runs the coroutines until all are done: each ready one in turn. Then it waits for what the others wait for.
static void run(void) {
    int error = weir_coop_register_if_present(&runtime);
    is_registered = error == 0;
    for (;;) {
        struct pollfd array[MOST];
        int of[MOST], waiting = 0, left = 0;
        double first = 0;
        for (int i = 0; i < count; i++) {
            if (all[i]->is_done)
                continue;
            left++;
            if (all[i]->is_ready) {
                running = all[i];
                swapcontext(&scheduler, &all[i]->context);
                running = NULL;
            }
        }
        if (left == 0)
            return;
        int any_ready = 0;
        for (int i = 0; i < count; i++) {
            if (all[i]->is_done)
                continue;
            if (all[i]->is_ready) {
                any_ready = 1;
                continue;
            }
            if (all[i]->until != 0 && (first == 0 || all[i]->until < first))
                first = all[i]->until;
            array[waiting] = (struct pollfd){all[i]->fd, all[i]->events, 0};
            of[waiting++] = i;
        }
        if (waiting == 0)
            continue;
        double left_s = first - now();
        int timeout = any_ready ? 0 : first == 0 ? -1 : left_s <= 0 ? 0 : (int)(left_s * 1e3) + 1;
        plain_poll(array, waiting, timeout);
        for (int i = 0; i < waiting; i++) {
            struct coroutine *one = all[of[i]];
            if (array[i].revents != 0) {
                one->revents = array[i].revents;
                one->is_ready = 1;
            } else if (one->until != 0 && now() >= one->until) {
                one->is_ready = 1;
            }
        }
    }
}

static int plain_poll(struct pollfd *array, int length, int timeout_ms) {
    struct timespec timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};
    long patience = timeout_ms < 0 ? 0 : (long)&timeout;
    return (int)system_call(SYS_ppoll, (long)array, length, patience, 0, 0, 0);
}

#endif
