/* An echo server and its clients on one thread: plain blocking C, on State Threads.
 *
 *     echo [connections [messages [bytes]]]
 *
 * Nothing here but main() knows of coroutines: the rest calls read, write, accept, connect and usleep, which Weir
 * makes wait by the library. Without it the first of them holds the thread, and after three seconds the program
 * says so. */
#include "weir_st.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <st.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST_BYTES = 4096, THOUGHT_US = 10000 };

static int connections = 200, messages = 20, bytes = 512;
static int server_fd, open_now, open_at_most, answers;
static struct sockaddr_in address = {.sin_family = AF_INET};

static void check(int holds, const char *what) {
    if (!holds) {
        perror(what);
        exit(1);
    }
}

static int write_all(int fd, const char *from, int size) {
    while (size > 0) {
        ssize_t written = write(fd, from, size);
        if (written < 0)
            return -1;
        from += written;
        size -= written;
    }
    return 0;
}

static void serve(int fd) {
    char buffer[MOST_BYTES];
    ssize_t size;
    if (++open_now > open_at_most)
        open_at_most = open_now;
    while ((size = read(fd, buffer, bytes)) > 0 && write_all(fd, buffer, size) == 0)
        ;
    check(size == 0, "serving");
    open_now--;
    close(fd);
}

static void ask(int number) {
    char message[MOST_BYTES], answer[MOST_BYTES];
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    check(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0, "connect");
    for (int round = 0; round < messages; round++) {
        memset(message, number + round, bytes);
        check(write_all(fd, message, bytes) == 0, "write");
        for (int got = 0; got < bytes;) {
            ssize_t size = read(fd, answer + got, bytes - got);
            check(size > 0, "read");
            got += size;
        }
        check(memcmp(message, answer, bytes) == 0, "the answer is not what was sent");
        answers++;
        usleep(THOUGHT_US);
    }
    close(fd);
}

/* One task of a coroutine, which is its id as well. */
struct task {
    void (*work)(int);
    int argument;
    st_thread_t thread;
};

static void *run(void *argument) {
    struct task *task = argument;
    weir_st_begin(task);
    task->work(task->argument);
    return NULL;
}

static struct task *start(void (*work)(int), int argument) {
    struct task *task = malloc(sizeof *task);
    check(task != NULL, "malloc");
    task->work = work;
    task->argument = argument;
    task->thread = st_thread_create(run, task, 1, 0);
    check(task->thread != NULL, "st_thread_create");
    return task;
}

static void join(struct task *task) {
    check(st_thread_join(task->thread, NULL) == 0, "st_thread_join");
    free(task);
}

static void accept_all(int count) {
    struct task **servers = malloc(count * sizeof *servers);
    check(servers != NULL, "malloc");
    for (int number = 0; number < count; number++) {
        int fd = accept(server_fd, NULL, NULL);
        check(fd >= 0, "accept");
        servers[number] = start(serve, fd);
    }
    for (int number = 0; number < count; number++)
        join(servers[number]);
    free(servers);
}

static void say_that_nothing_moves(int signal) {
    static const char text[] =
        "echo: nothing has moved for 3 s: the first call that blocks holds the only thread.\n"
        "echo: under Weir it lets the others run: weir run -- ./echo\n";
    (void)signal;
    if (write(STDOUT_FILENO, text, sizeof text - 1) < 0)
        _exit(2);
    _exit(1);
}

static int argument(const char *text, int most) {
    char *end;
    long value = strtol(text, &end, 10);
    if (*text == 0 || *end != 0 || value < 1 || value > most) {
        fprintf(stderr, "usage: echo [connections [messages [bytes]]]; at most %d here\n", most);
        exit(2);
    }
    return value;
}

int main(int count, char **arguments) {
    if (count > 1)
        connections = argument(arguments[1], 100000);
    if (count > 2)
        messages = argument(arguments[2], 1000000);
    if (count > 3)
        bytes = argument(arguments[3], MOST_BYTES);

    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server_fd = socket(AF_INET, SOCK_STREAM, 0);
    check(server_fd >= 0 && bind(server_fd, (struct sockaddr *)&address, size) == 0, "bind");
    check(listen(server_fd, 4096) == 0, "listen");
    check(getsockname(server_fd, (struct sockaddr *)&address, &size) == 0, "getsockname");

    /* By select(), as it does at first, it could wait for descriptors below 1024 only. */
    check(st_set_eventsys(ST_EVENTSYS_POLL) == 0 && st_init() == 0, "st_init");
    int registered = weir_st_register();
    if (registered == -ENOENT) {
        signal(SIGALRM, say_that_nothing_moves);
        alarm(3);
    } else {
        errno = -registered;
        check(registered == 0, "weir_coop_register");
    }

    struct timespec begun, ended;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    struct task *server = start(accept_all, connections);
    struct task **clients = malloc(connections * sizeof *clients);
    check(clients != NULL, "malloc");
    for (int number = 0; number < connections; number++)
        clients[number] = start(ask, number);
    for (int number = 0; number < connections; number++)
        join(clients[number]);
    join(server);
    free(clients);
    clock_gettime(CLOCK_MONOTONIC, &ended);

    printf("echo: %d connections on one thread, %d at the same time\n", connections, open_at_most);
    printf("echo: %d answers in %.2f s\n", answers,
           ended.tv_sec - begun.tv_sec + (ended.tv_nsec - begun.tv_nsec) / 1e9);
    return 0;
}
