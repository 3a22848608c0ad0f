// flags: -O2 -pthread
// A call waits while a signal comes, or while its thread is cancelled. The argument names the kind of handlers:
// restart, interrupt, both.
#define _GNU_SOURCE
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int ends[2], pipes[2], handled;

static void handler(int signal) { handled++; }

static void handle(int signal, int flags) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    assert(sigaction(signal, &action, NULL) == 0);
}

struct plan {
    pthread_t to;
    int signal;
};

// A signal after 50 ms, and something to read 100 ms later.
static void *later(void *argument) {
    struct plan *plan = argument;
    usleep(50000);
    pthread_kill(plan->to, plan->signal);
    usleep(100000);
    assert(write(ends[1], "x", 1) == 1 && write(pipes[1], "x", 1) == 1);
    return NULL;
}

static void try(const char *what, int fd, int signal) {
    pthread_t thread;
    char byte;
    struct plan plan = {pthread_self(), signal};
    handled = 0;
    pthread_create(&thread, NULL, later, &plan);
    long result = read(fd, &byte, 1);
    int error = errno;
    pthread_join(thread, NULL);
    printf("%s %s %ld %s %d\n", what, signal == SIGUSR1 ? "usr1" : "usr2", result,
           result < 0 ? strerrorname_np(error) : "-", handled);
    recv(ends[0], &byte, 1, MSG_DONTWAIT);
    if (fd != pipes[0] || result < 0)
        assert(read(pipes[0], &byte, 1) == 1);
}

static void *blocked(void *fd) {
    char byte;
    read(*(int *)fd, &byte, 1);
    return NULL;
}

static void cancel(const char *what, int fd) {
    pthread_t thread;
    void *result;
    pthread_create(&thread, NULL, blocked, &fd);
    usleep(50000);
    pthread_cancel(thread);
    pthread_join(thread, &result);
    printf("%s %s\n", what, result == PTHREAD_CANCELED ? "cancelled" : "returned");
}

int main(int count, char **arguments) {
    const char *how = arguments[1];
    assert(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0 && pipe(pipes) == 0);
    if (strcmp(how, "interrupt") != 0)
        handle(SIGUSR1, SA_RESTART);
    if (strcmp(how, "restart") != 0)
        handle(SIGUSR2, 0);
    for (int signal = SIGUSR1; signal <= SIGUSR2; signal++) {
        if (signal == SIGUSR1 + 1 && signal != SIGUSR2)
            continue;
        struct sigaction now;
        sigaction(signal, NULL, &now);
        if (now.sa_handler == SIG_DFL)
            continue;
        try("socket", ends[0], signal);
        try("pipe", pipes[0], signal);
        struct timeval bound = {5, 0};
        setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof bound);
        try("bounded", ends[0], signal);
        bound.tv_sec = 0;
        setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof bound);
    }
    cancel("socket", ends[0]);
    cancel("pipe", pipes[0]);
    return 0;
}
