// flags: -O2 -Iinclude -pthread -lutil
// Calls whose result poll does not predict, or that differ if they do not block. Prints the result and the errno of
// each. With an argument, a coroutine makes them. The results are then the same, except for what only threads can do.
#include "coroutines.h"
#include <pty.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <netinet/in.h>
#include <termios.h>

static char bytes[1 << 16];

static void row(const char *name, long result) {
    printf("%s %ld %s\n", name, result, result < 0 ? strerrorname_np(errno) : "-");
    fflush(stdout);
}

static void pair(int kind, int ends[2]) { assert(socketpair(AF_UNIX, kind, 0, ends) == 0); }

static void tcp(int ends[2]) {
    struct sockaddr_in address = {AF_INET, 0, {htonl(INADDR_LOOPBACK)}, {0}};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    assert(bind(listener, (void *)&address, length) == 0 && listen(listener, 5) == 0);
    assert(getsockname(listener, (void *)&address, &length) == 0);
    ends[0] = socket(AF_INET, SOCK_STREAM, 0);
    assert(connect(ends[0], (void *)&address, length) == 0);
    ends[1] = accept(listener, NULL, NULL);
    assert(ends[1] >= 0);
    close(listener);
}

// A child process writes `size` bytes `times` times, with a pause of `ms` milliseconds before each. It uses system
// calls that Weir does not see.
static void drip(int fd, int times, int ms, int size) {
    pid_t child = fork();
    assert(child >= 0);
    if (child != 0)
        return;
    struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
    for (int i = 0; i < times; i++) {
        syscall(SYS_nanosleep, &pause, NULL);
        syscall(SYS_write, fd, bytes, size);
    }
    // The pause keeps the other end from seeing an end of file.
    pause.tv_sec = 1;
    syscall(SYS_nanosleep, &pause, NULL);
    syscall(SYS_exit_group, 0);
}

static void bound(int fd, int option, int ms) {
    struct timeval time = {ms / 1000, ms % 1000 * 1000};
    assert(setsockopt(fd, SOL_SOCKET, option, &time, sizeof time) == 0);
}

static void what_returns_at_once(void) {
    int pipes[2], others[2], sockets[2], more[2], terminal[2];
    assert(pipe(pipes) == 0 && pipe(others) == 0);
    tcp(sockets);
    tcp(more);
    row("nothing of a pipe", read(pipes[0], bytes, 0));
    row("the wrong end, to read", read(pipes[1], bytes, 10));
    row("the wrong end, to write", write(pipes[0], bytes, 10));
    row("too little of an eventfd", read(eventfd(0, 0), bytes, 4));
    row("of no pipes, splice", splice(sockets[0], NULL, more[0], NULL, 100, 0));
    row("not to wait, splice", splice(pipes[0], NULL, others[1], NULL, 100, SPLICE_F_NONBLOCK));
    loff_t place = 0;
    row("a place in a pipe", splice(pipes[0], &place, others[1], NULL, 100, 0));
    row("from a socket, sendfile", sendfile(more[0], sockets[0], NULL, 100));
    row("from a pipe, recv", recv(pipes[0], bytes, 10, 0));
    assert(fcntl(pipes[1], F_SETFL, O_NONBLOCK) == 0);
    while (write(pipes[1], bytes, 4096) > 0)
        continue;
    assert(fcntl(pipes[1], F_SETFL, 0) == 0);
    row("nothing to a full pipe", write(pipes[1], bytes, 0));
    assert(openpty(&terminal[0], &terminal[1], NULL, NULL, NULL) == 0);
    struct termios raw;
    assert(tcgetattr(terminal[1], &raw) == 0);
    cfmakeraw(&raw);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    assert(tcsetattr(terminal[1], TCSANOW, &raw) == 0);
    row("a terminal that does not wait", read(terminal[1], bytes, 10));
    struct iovec nothing = {bytes, 0};
    row("nothing of a stream, readv", readv(sockets[0], &nothing, 1));
    struct iovec *many = calloc(2000, sizeof *many);
    for (int i = 0; i < 2000; i++)
        many[i] = (struct iovec){bytes, 1};
    row("too many, readv", readv(sockets[0], many, 1025));
    row("too many, writev", writev(sockets[0], many, 1025));
    volatile int less = -1;
    row("less than none, writev", writev(sockets[0], many, less));
    free(many);
    pair(SOCK_DGRAM, sockets);
    row("nothing, writev", writev(sockets[1], &nothing, 1));
    row("then", recv(sockets[0], bytes, 10, MSG_DONTWAIT));
    row("nothing, send", send(sockets[1], bytes, 0, 0));
    row("then", recv(sockets[0], bytes, 10, MSG_DONTWAIT));
    assert(send(sockets[1], bytes, 3, 0) == 3);
    row("nothing, readv", readv(sockets[0], &nothing, 1));
    row("then", recv(sockets[0], bytes, 10, MSG_DONTWAIT));
    struct iovec vector = {bytes, 10};
    struct mmsghdr messages[2] = {{{.msg_iov = &vector, .msg_iovlen = 1}, 0}, {{.msg_iov = &vector, .msg_iovlen = 1}, 0}};
    struct timespec wrong = {1, 1000000000};
    row("no time", recvmmsg(sockets[0], messages, 2, 0, &wrong));
}

static void what_waits_for_all(void) {
    int ends[2];
    struct iovec vectors[2] = {{bytes, 4}, {bytes + 100, 6}};
    struct msghdr message = {.msg_iov = vectors, .msg_iovlen = 2};
    tcp(ends);
    drip(ends[1], 3, 50, 5);
    row("all, recvmsg", recvmsg(ends[0], &message, MSG_WAITALL));
    tcp(ends);
    drip(ends[1], 3, 50, 5);
    row("all, to look at", recv(ends[0], bytes, 10, MSG_WAITALL | MSG_PEEK));
    row("all", recv(ends[0], bytes, 10, MSG_WAITALL));
    tcp(ends);
    bound(ends[0], SO_RCVTIMEO, 500);
    drip(ends[1], 4, 200, 1);
    row("what comes in the time", recv(ends[0], bytes, 10, MSG_WAITALL));
    pair(SOCK_DGRAM, ends);
    struct mmsghdr messages[2] = {{{.msg_iov = vectors, .msg_iovlen = 1}, 0}, {{.msg_iov = vectors, .msg_iovlen = 1}, 0}};
    struct timespec time = {100, 0};
    drip(ends[1], 2, 20, 3);
    row("two messages", recvmmsg(ends[0], messages, 2, 0, &time));
    row("the time that is left", time.tv_sec);
}

static void what_is_never_ready(void) {
    int sender = socket(AF_UNIX, SOCK_DGRAM, 0), receiver = socket(AF_UNIX, SOCK_DGRAM, 0);
    struct sockaddr_un address = {AF_UNIX, ""};
    // The kernel chooses a name.
    assert(bind(receiver, (void *)&address, sizeof(sa_family_t)) == 0);
    socklen_t length = sizeof address;
    assert(getsockname(receiver, (void *)&address, &length) == 0);
    while (sendto(sender, "x", 1, MSG_DONTWAIT, (void *)&address, length) == 1)
        continue;
    bound(sender, SO_SNDTIMEO, 100);
    row("a full receiver", sendto(sender, "x", 1, 0, (void *)&address, length));
    int ends[2], from = 0;
    pair(SOCK_STREAM, ends);
    assert(setsockopt(ends[0], SOL_SOCKET, SO_PEEK_OFF, &from, sizeof from) == 0 && write(ends[1], bytes, 5) == 5);
    bound(ends[0], SO_RCVTIMEO, 100);
    row("looked at", recv(ends[0], bytes, 5, MSG_PEEK));
    row("looked at again", recv(ends[0], bytes, 5, MSG_PEEK));
}

static void what_errno_is_after_success(void) {
    int ends[2];
    pair(SOCK_STREAM, ends);
    drip(ends[1], 1, 50, 5);
    errno = 0;
    row("waited", read(ends[0], bytes, 10));
    row("its errno", errno);
}

// For threads only: another thread closes the descriptor that is read from, and its number gets another file.
static int shared[2];

static void *read_it(void *unused) {
    char *buffer = malloc(100);
    row("closed meanwhile", read(shared[0], buffer, 100));
    return unused;
}

static void *interrupt(void *thread) {
    usleep(100000);
    pthread_kill(*(pthread_t *)thread, SIGUSR1);
    return NULL;
}

static void handle(int signal) { (void)signal; }

static void what_threads_do(void) {
    pthread_t thread, self = pthread_self();
    int ends[2];
    tcp(shared);
    assert(pthread_create(&thread, NULL, read_it, NULL) == 0);
    usleep(100000);
    int closed = shared[0];
    shutdown(closed, SHUT_RDWR);
    close(closed);
    tcp(ends);
    assert(ends[0] == closed || ends[1] == closed);
    assert(write(ends[ends[0] == closed], "another's", 9) == 9);
    pthread_join(thread, NULL);
    row("another's", recv(closed, bytes, 100, 0));
    struct sigaction restart = {.sa_handler = handle, .sa_flags = SA_RESTART};
    assert(sigaction(SIGUSR1, &restart, NULL) == 0);
    tcp(ends);
    size_t size = 32 << 20;
    char *big = calloc(1, size);
    assert(pthread_create(&thread, NULL, interrupt, &self) == 0);
    ssize_t sent = write(ends[0], big, size);
    row("cut short by a handler that lets calls go on", sent > 0 && (size_t)sent < size);
    pthread_join(thread, NULL);
    free(big);
}

static void all_of_them(void *unused) {
    (void)unused;
    what_returns_at_once();
    what_waits_for_all();
    what_is_never_ready();
    what_errno_is_after_success();
}

int main(int argc, char **argv) {
    (void)argv;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_IGN);
    if (argc > 1) {
        go("corners", all_of_them, NULL);
        run();
        return 0;
    }
    all_of_them(NULL);
    what_threads_do();
    return 0;
}
