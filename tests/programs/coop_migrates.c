// flags: -O2 -Iinclude -pthread
// A coroutine that wakes up on the other of two threads after each wait.
#define _GNU_SOURCE
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <ucontext.h>
#include <unistd.h>
#include "weir.h"

enum { TIMES = 200 };

static ucontext_t body_context, schedulers[2];
static sem_t turns[2];
static int is_done, wanted_fd, wanted_timeout, ready;
static short wanted;
static __thread int is_inside, self;

// These are not inlined: the address of a thread-local variable must not be kept across a switch.
__attribute__((noinline)) static void *current(void) { return is_inside ? &body_context : NULL; }
__attribute__((noinline)) static int own(void) { __asm__ volatile(""); return self; }
__attribute__((noinline)) static int own_errno(void) { __asm__ volatile(""); return errno; }
__attribute__((noinline)) static void clear_errno(void) { errno = 0; }

static int wait_fd(int fd, short events, int timeout_ms) {
    wanted_fd = fd;
    wanted = events;
    wanted_timeout = timeout_ms;
    swapcontext(&body_context, &schedulers[own()]);
    return ready;
}

static const struct weir_coop runtime = {
    .abi = WEIR_COOP_ABI,
    .size = sizeof runtime,
    .flags = WEIR_COOP_MIGRATES,
    .name = "two threads",
    .current = current,
    .wait_fd = wait_fd,
};

static int ends[2], moves, mistakes;

static void body(void) {
    char bytes[10];
    for (int i = 0; i < TIMES; i++) {
        int before = own();
        clear_errno();
        // There is nothing to read. Each of the two threads has an errno of its own.
        if (recv(ends[0], bytes, 10, 0) != -1 || own_errno() != EAGAIN)
            mistakes++;
        moves += own() != before;
        assert(write(ends[1], "ten bytes.", 10) == 10);
        if (read(ends[0], bytes, 10) != 10)
            mistakes++;
        free(malloc(100));
    }
    is_done = 1;
    setcontext(&schedulers[own()]);
}

static void *thread(void *argument) {
    int me = (int)(long)argument;
    self = me;
    for (;;) {
        sem_wait(&turns[me]);
        if (!is_done && wanted_fd >= 0) {
            struct pollfd one = {wanted_fd, wanted, 0};
            ready = poll(&one, 1, wanted_timeout) == 1 ? one.revents : 0;
        }
        if (!is_done) {
            is_inside = 1;
            swapcontext(&schedulers[me], &body_context);
            is_inside = 0;
        }
        sem_post(&turns[!me]);
        if (is_done)
            return NULL;
    }
}

int main(void) {
    pthread_t threads[2];
    struct timeval time = {0, 1000};
    assert(weir_coop_register_if_present(&runtime) == 0);
    assert(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    assert(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time) == 0);
    getcontext(&body_context);
    body_context.uc_stack.ss_sp = malloc(256 * 1024);
    body_context.uc_stack.ss_size = 256 * 1024;
    makecontext(&body_context, body, 0);
    wanted_fd = -1;
    for (long i = 0; i < 2; i++) {
        sem_init(&turns[i], 0, 0);
        pthread_create(&threads[i], NULL, thread, (void *)i);
    }
    sem_post(&turns[0]);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    printf("%d moves, %d mistakes\n", moves, mistakes);
    return 0;
}
