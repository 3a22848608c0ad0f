// flags: -O2 -Iinclude -pthread
// How calls end in which a coroutine waits. The first argument names a case, which prints the results of its calls.
// Without Weir, threads make the calls, if they can: then the case prints the kernel's results.
#include "coroutines.h"
#include <netinet/in.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>

static char bytes[1 << 16];

static void row(const char *name, long result) {
    printf("%s %ld %s\n", name, result, result < 0 ? strerrorname_np(errno) : "-");
    fflush(stdout);
}

static void pause_ms(int ms) {
    struct timespec time = {ms / 1000, ms % 1000 * 1000000L};
    nanosleep(&time, NULL);
}

// A part of a case: a coroutine if there is a runtime, else a thread.
struct part {
    void (*body)(void);
    pthread_t thread;
};
static struct part parts[8];
static int part_count, is_alone;

static void part_body(void *part) { ((struct part *)part)->body(); }

static void *part_thread(void *part) {
    part_body(part);
    return NULL;
}

static void part(void (*body)(void)) {
    struct part *made = &parts[part_count++];
    made->body = body;
    if (!is_alone)
        go("part", part_body, made);
}

static void both(void) {
    if (!is_alone)
        return run();
    for (int i = 0; i < part_count; i++)
        assert(pthread_create(&parts[i].thread, NULL, part_thread, &parts[i]) == 0);
    for (int i = 0; i < part_count; i++)
        pthread_join(parts[i].thread, NULL);
}

// A child process that writes after `ms` milliseconds. It uses and ends by bare system calls.
static void elsewhere(int ms, int fd) {
    if (fork() != 0)
        return;
    struct timespec time = {ms / 1000, ms % 1000 * 1000000L};
    syscall(SYS_nanosleep, &time, NULL);
    syscall(SYS_write, fd, bytes, 1);
    syscall(SYS_exit_group, 0);
}

static int ends[2], others[2];

static void datagrams_of(int domain) {
    if (domain == AF_UNIX) {
        assert(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) == 0);
        return;
    }
    struct sockaddr_in address = {AF_INET, 0, {htonl(INADDR_LOOPBACK)}, {0}};
    ends[0] = socket(AF_INET, SOCK_DGRAM, 0);
    assert(bind(ends[0], (void *)&address, sizeof address) == 0);
}

static void receives(void) { row("recv", recv(ends[0], bytes, 10, 0)); }

static void receives_a_message(void) {
    struct iovec vector = {bytes, 10};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    row("recvmsg", recvmsg(ends[0], &message, 0));
}

static void shuts_down(void) {
    pause_ms(60);
    // For an unconnected socket, shutdown fails with ENOTCONN, but works all the same.
    shutdown(ends[0], SHUT_RDWR);
}

static void peeks(void) {
    row("peek", recv(ends[0], bytes, 8, MSG_PEEK | MSG_WAITALL));
    struct iovec vectors[2] = {{bytes, 3}, {bytes + 10, 5}};
    struct msghdr message = {.msg_iov = vectors, .msg_iovlen = 2};
    row("peek at a message", recvmsg(ends[0], &message, MSG_PEEK | MSG_WAITALL));
}

static void tcp(void) {
    struct sockaddr_in address = {AF_INET, 0, {htonl(INADDR_LOOPBACK)}, {0}};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    assert(bind(listener, (void *)&address, length) == 0 && listen(listener, 5) == 0);
    assert(getsockname(listener, (void *)&address, &length) == 0);
    ends[1] = socket(AF_INET, SOCK_STREAM, 0);
    assert(connect(ends[1], (void *)&address, length) == 0);
    ends[0] = accept(listener, NULL, NULL);
    assert(ends[0] >= 0);
    close(listener);
}

static void writes_packets(void) {
    assert(pipe2(ends, O_DIRECT) == 0);
    struct iovec vectors[5] = {{bytes, 3000}, {bytes, 0}, {bytes, 3000}, {bytes, 10}, {bytes, 5000}};
    row("writev", writev(ends[1], vectors, 5));
    for (int i = 0; i < 3; i++)
        row("packet", read(ends[0], bytes, sizeof bytes));
    row("write", write(ends[1], bytes, 5000));
    for (int i = 0; i < 2; i++)
        row("packet", read(ends[0], bytes, sizeof bytes));
}

// A number that belonged to a pipe now belongs to a datagram socket, and no hook has seen that.
static void writes_to_another(void) {
    assert(pipe(ends) == 0 && socketpair(AF_UNIX, SOCK_DGRAM, 0, others) == 0);
    row("write", write(ends[1], bytes, 10));
    syscall(SYS_dup3, others[1], ends[1], 0);
    row("write to a socket", write(ends[1], bytes, 10000));
    row("recv", recv(others[0], bytes, sizeof bytes, 0));
    struct iovec vectors[2] = {{bytes, 5000}, {bytes, 5000}};
    row("writev to a socket", writev(ends[1], vectors, 2));
    row("recv", recv(others[0], bytes, sizeof bytes, 0));
}

// A number that belonged to a socket now belongs to a file or a pipe.
static void reads_another(void) {
    assert(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0 && pipe(others) == 0);
    int file = open("/dev/zero", O_RDONLY), writable = open("/dev/null", O_WRONLY);
    struct iovec vector = {bytes, 4};
    assert(write(ends[1], "abcdef", 6) == 6);
    row("read", read(ends[0], bytes, 4));
    row("read", read(ends[0], bytes, 4)); // This read takes the last bytes, so Weir expects the next one to wait.
    syscall(SYS_dup3, file, ends[0], 0);
    row("read of a file", read(ends[0], bytes, 4));
    row("recv of a file", recv(ends[0], bytes, 4, 0));
    row("readv of a file", readv(ends[0], &vector, 1));
    row("write", write(ends[1], bytes, 4) < 0 ? 0 : 1);
    syscall(SYS_dup3, writable, ends[1], 0);
    row("write to a file", write(ends[1], bytes, 4));
    row("writev to a file", writev(ends[1], &vector, 1));
    row("send to a file", send(ends[1], bytes, 4, 0));
    int more[2];
    assert(socketpair(AF_UNIX, SOCK_STREAM, 0, more) == 0);
    assert(write(more[1], "x", 1) == 1);
    row("read", read(more[0], bytes, 4));
    syscall(SYS_dup3, others[0], more[0], 0);
    elsewhere(50, others[1]);
    row("read of a pipe", read(more[0], bytes, 4));
}

// Bare system calls change the mode of the shared socket, one by one.
static void is_told_not_to_wait(void) {
    assert(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    struct timeval time = {0, 50000};
    setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
    row("read", read(ends[0], bytes, 1));
    time.tv_usec = 0;
    syscall(SYS_setsockopt, ends[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
    elsewhere(100, ends[1]);
    row("read without a bound", read(ends[0], bytes, 1));
    syscall(SYS_fcntl, ends[0], F_SETFL, O_NONBLOCK);
    row("read that does not wait", read(ends[0], bytes, 1));
    syscall(SYS_fcntl, ends[0], F_SETFL, 0);
    elsewhere(50, ends[1]);
    row("read that waits", read(ends[0], bytes, 1));
}

// The wait_fd for cases with signals: the thread itself waits, and the result is that of poll.
static void *always(void) { return ends; }

static int waits_by_thread(int fd, short events, int timeout_ms) {
    struct pollfd one = {fd, events, 0};
    struct timespec timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};
    int ready = syscall(SYS_ppoll, &one, 1, timeout_ms < 0 ? NULL : &timeout, NULL, 0);
    return ready < 0 ? -errno : ready == 0 ? 0 : one.revents;
}

static void handle(int signal) { (void)signal; }

static void is_interrupted(const char *name, int handler_flags) {
    printf("%s\n", name);
    assert(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0 && pipe(others) == 0);
    struct sigaction action = {.sa_handler = handle, .sa_flags = handler_flags};
    assert(sigaction(SIGALRM, &action, NULL) == 0);
    struct itimerval once = {{0, 0}, {0, 50000}};
    elsewhere(150, ends[1]);
    setitimer(ITIMER_REAL, &once, NULL);
    row("read of a socket", read(ends[0], bytes, 1));
    elsewhere(150, others[1]);
    setitimer(ITIMER_REAL, &once, NULL);
    row("read of a pipe", read(others[0], bytes, 1));
    int quiet[2];
    assert(socketpair(AF_UNIX, SOCK_STREAM, 0, quiet) == 0);
    struct timeval bound = {5, 0};
    setsockopt(quiet[0], SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof bound);
    setitimer(ITIMER_REAL, &once, NULL);
    row("read with a bound", read(quiet[0], bytes, 1));
    struct pollfd one[2] = {{quiet[0], POLLIN, 0}, {-1, 0, 0}};
    setitimer(ITIMER_REAL, &once, NULL);
    row("poll", poll(one, 2, 5000));
    struct timespec time = {5, 0}, left = {0, 0};
    setitimer(ITIMER_REAL, &once, NULL);
    row("nanosleep", nanosleep(&time, &left));
    printf("left %d\n", left.tv_sec == 4 && left.tv_nsec > 0);
    setitimer(ITIMER_REAL, &once, NULL);
    row("clock_nanosleep", clock_nanosleep(CLOCK_MONOTONIC, 0, &time, &left) == EINTR);
    setitimer(ITIMER_REAL, &once, NULL);
    row("nanosleep, nowhere to say it", nanosleep(&time, (void *)8));
    setitimer(ITIMER_REAL, &once, NULL);
    row("sleep", sleep(5));
}

static int interrupted_sleep(uint64_t ns) {
    (void)ns;
    yield_until(-1, 0, now() + 0.05);
    return -EINTR;
}

static int short_sleep(uint64_t ns) {
    yield_until(-1, 0, now() + ns / 4e9);
    return 0;
}

static int no_sleep(uint64_t ns) {
    (void)ns;
    return -ENOMEM;
}

static int ticks, is_over;

static void ticker(void) {
    while (!is_over) {
        yield_until(-1, 0, now() + 0.01);
        ticks++;
    }
}

static void sleeps(void) {
    struct timespec time = {0, 200000000}, left = {7, 7};
    double began = now();
    int result = nanosleep(&time, &left);
    double took = now() - began;
    printf("nanosleep %d %s, others ran %d\n", result, result < 0 ? strerrorname_np(errno) : took >= 0.2 ? "all" : "less",
           ticks >= 1);
    if (result < 0)
        printf("left %d\n", left.tv_sec == 0 && left.tv_nsec > 100000000 && left.tv_nsec < 160000000);
    is_over = 1;
}

static int wakes_with_nothing(int fd, short events, int timeout_ms) {
    int revents = wait_fd(fd, events, timeout_ms);
    return revents == POLLNVAL ? 0 : revents;
}

static void reads_what_is_closed(void) {
    struct timeval time = {2, 0};
    setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
    double began = now();
    int result = read(ends[0], bytes, 1);
    printf("read %d %s %s\n", result, strerrorname_np(errno), now() - began < 1 ? "at once" : "late");
}

static void closes_and_reuses(void) {
    pause_ms(50);
    close(ends[0]);
    assert(socketpair(AF_UNIX, SOCK_STREAM, 0, others) == 0 && others[0] == ends[0]);
}

// No descriptor is left.
static void waits_without(void) {
    struct pollfd two[2] = {{ends[0], POLLIN, 0}, {others[0], POLLIN, 0}};
    row("poll of two", poll(two, 2, 2000));
    ticks = 0;
    double began = now();
    row("usleep", usleep(200000));
    printf("took %d, others ran %d\n", now() - began >= 0.2, ticks >= 5);
    row("read", read(ends[0], bytes, 1));
    is_over = 1;
}

static void reads_beside(void) { row("another's read", read(others[0], bytes, 1)); }
static void reads_the_same(void) { row("the same's read", read(others[0], bytes, 1)); }

static void sends_later(void) {
    yield_until(-1, 0, now() + 0.1);
    assert(send(ends[1], "x", 1, 0) == 1);
    while (!is_over)
        yield_until(-1, 0, now() + 0.01);
    assert(send(others[1], "xy", 2, 0) == 2);
}

static const char *name;

static int is(const char *other) { return strcmp(name, other) == 0; }

int main(int argc, char **argv) {
    assert(argc > 1);
    name = argv[1];
    is_alone = argc > 2;
    setbuf(stdout, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_IGN);
    static struct weir_coop own;
    own = runtime;
    if (is("shutdown udp") || is("shutdown unix")) {
        datagrams_of(is("shutdown udp") ? AF_INET : AF_UNIX);
        part(receives);
        part(shuts_down);
        part(receives_a_message);
        both();
        receives();
    } else if (is("peek tcp") || is("peek unix")) {
        if (is("peek tcp"))
            tcp();
        else
            assert(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
        elsewhere(50, ends[1]);
        for (int i = 2; i < 9; i++)
            elsewhere(50 * i, ends[1]);
        part(peeks);
        both();
    } else if (is("packets")) {
        part(writes_packets);
        both();
    } else if (is("another to write")) {
        part(writes_to_another);
        both();
    } else if (is("another to read")) {
        part(reads_another);
        both();
    } else if (is("mode")) {
        part(is_told_not_to_wait);
        both();
    } else if (is("restart") || is("interrupt")) {
        own.current = always;
        own.wait_fd = waits_by_thread;
        own.sleep_ns = NULL;
        own.fd_closing = NULL;
        own.coroutine_name = NULL;
        if (!is_alone)
            assert(weir_coop_register_if_present(&own) == 0);
        is_interrupted(name, is("restart") ? SA_RESTART : 0);
    } else if (is("interrupted sleep") || is("short sleep") || is("no sleep")) {
        own.sleep_ns = is("interrupted sleep") ? interrupted_sleep : is("short sleep") ? short_sleep : no_sleep;
        assert(weir_coop_register_if_present(&own) == 0);
        part(sleeps);
        part(ticker);
        both();
    } else if (is("closed") || is("closed for several")) {
        own.flags = 0;
        own.wait_fd = wakes_with_nothing;
        assert(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
        assert(weir_coop_register_if_present(&own) == 0);
        part(reads_what_is_closed);
        if (is("closed for several"))
            part(reads_what_is_closed);
        part(closes_and_reuses);
        both();
    } else if (is("none left")) {
        own.flags = 0;
        own.poll = NULL;
        own.sleep_ns = NULL;
        assert(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
        assert(socketpair(AF_UNIX, SOCK_STREAM, 0, others) == 0);
        assert(weir_coop_register_if_present(&own) == 0);
        struct rlimit none = {others[1] + 1, others[1] + 1};
        assert(setrlimit(RLIMIT_NOFILE, &none) == 0);
        while (dup(0) >= 0)
            continue;
        part(waits_without);
        part(ticker);
        part(reads_beside);
        part(reads_the_same);
        part(sends_later);
        both();
    } else {
        return 2;
    }
    return 0;
}
