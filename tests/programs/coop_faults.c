// flags: -O2 -Iinclude -Wno-unused-function -pthread
// Cases that libco handles wrongly, row by row. Each check prints a line: its name, its result, how many milliseconds
// it took, and how often another coroutine ticked meanwhile. Without a runtime (an argument), one thread does the
// same, as far as that makes sense.
#include "coroutines.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/epoll.h>
#include <sys/uio.h>

static int in_coroutines;
static double began;
static int ticks;

static int ticks_before;

static void begin(void) {
    began = now();
    ticks_before = ticks;
}
static int ms(void) { return (int)((now() - began) * 1e3 + 0.5); }

static void pair(int ends[2]) { assert(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0); }

static void timeout_of(int fd, long seconds, long microseconds) {
    struct timeval time = {seconds, microseconds};
    assert(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time) == 0);
}

static void say(const char *what, long result, int error) {
    printf("%s %ld %s %d %d\n", what, result, result < 0 ? strerrorname_np(error) : "-", ms(),
           ticks - ticks_before);
}

static void say_of(const char *what, long result) { say(what, result, errno); }

// Does something later, in a coroutine or a thread of its own.
struct later {
    int after_ms, fd;
    enum { WRITE, CLOSE, DUP2 } act;
};

static void act(void *argument) {
    struct later *later = argument;
    usleep(later->after_ms * 1000);
    switch (later->act) {
    case WRITE: assert(write(later->fd, "x", 1) == 1); break;
    case CLOSE: assert(close(later->fd) == 0); break;
    case DUP2: assert(dup2(0, later->fd) == later->fd); break;
    }
}

static void *act_in_thread(void *argument) {
    act(argument);
    return NULL;
}

static void later(int after_ms, int fd, int what) {
    struct later *later = malloc(sizeof *later);
    *later = (struct later){after_ms, fd, what};
    if (in_coroutines) {
        go("later", act, later);
    } else {
        pthread_t thread;
        pthread_create(&thread, NULL, act_in_thread, later);
        pthread_detach(thread);
    }
}

static int woken[2];

static void wait_for(void *argument) {
    char byte;
    int *fd = argument;
    long result = recv(fd[0], &byte, 1, MSG_PEEK);
    woken[fd[1]] = result == 1 ? ms() : -1;
}

static void close_later_reader(void *argument) {
    char byte;
    say_of("read-of-closed", read(*(int *)argument, &byte, 1));
}

// These descriptors come from before the exec: a pipe, to which another process writes on request.
static int inherited = -1, asking = -1;

static int broken;
static void on_pipe(int signal) { broken++; }

static void checks(void *unused) {
    int ends[2];
    char byte, many[100];
    struct pollfd polled[2];

    pair(ends);
    timeout_of(ends[0], 0, 0);
    begin();
    later(100, ends[1], WRITE);
    say_of("timeout-0", read(ends[0], &byte, 1));

    timeout_of(ends[0], 0, 500);
    begin();
    say_of("timeout-500us", read(ends[0], &byte, 1));
    timeout_of(ends[0], 0, 150000);
    begin();
    say_of("timeout-150ms", recv(ends[0], &byte, 1, 0));
    timeout_of(ends[0], 0, 0);

    begin();
    say_of("dontwait", recv(ends[0], &byte, 1, MSG_DONTWAIT));
    int on = 1, off = 0;
    ioctl(ends[0], FIONBIO, &on);
    begin();
    say_of("fionbio", read(ends[0], &byte, 1));
    ioctl(ends[0], FIONBIO, &off);
    int copy = dup(ends[0]);
    fcntl(copy, F_SETFL, fcntl(copy, F_GETFL) | O_NONBLOCK);
    begin();
    say_of("nonblocking-by-dup", read(ends[0], &byte, 1));
    fcntl(copy, F_SETFL, fcntl(copy, F_GETFL) & ~O_NONBLOCK);
    printf("flags-of-dup %d\n", (fcntl(copy, F_GETFL) & O_NONBLOCK) != 0);
    begin();
    later(50, ends[1], WRITE);
    say_of("dup", read(copy, &byte, 1));
    printf("flags-after %d\n", (fcntl(ends[0], F_GETFL) & O_NONBLOCK) != 0);

    int pipes[2];
    assert(pipe(pipes) == 0);
    begin();
    later(50, pipes[1], WRITE);
    say_of("pipe", read(pipes[0], &byte, 1));
    int event = eventfd(0, 0);
    begin();
    uint64_t value = 0;
    later(50, pipes[1], WRITE);
    struct iovec vector[2] = {{many, 1}, {many + 1, 9}};
    say_of("readv", readv(pipes[0], vector, 2));
    value = 3;
    assert(write(event, &value, 8) == 8);
    begin();
    say_of("eventfd", read(event, &value, 8));

    // A listener, its accepted connection, a connection.
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {AF_INET, 0, {htonl(INADDR_LOOPBACK)}, {0}};
    socklen_t length = sizeof address;
    assert(bind(listener, (void *)&address, length) == 0 && listen(listener, 5) == 0);
    assert(getsockname(listener, (void *)&address, &length) == 0);
    timeout_of(listener, 0, 50000);
    begin();
    say_of("accept-timeout", accept(listener, NULL, NULL));
    // An accepted socket inherits the timeouts of the listener.
    timeout_of(listener, 0, 0);
    int client = socket(AF_INET, SOCK_STREAM, 0);
    begin();
    say_of("connect", connect(client, (void *)&address, sizeof address));
    int accepted = accept(listener, NULL, NULL);
    begin();
    later(50, client, WRITE);
    say_of("accepted", read(accepted, &byte, 1));
    int other = socket(AF_INET, SOCK_STREAM, 0);
    close(listener);
    begin();
    say_of("connect-refused", connect(other, (void *)&address, sizeof address));

    // The results of poll.
    polled[0] = (struct pollfd){1000, POLLIN, 0};
    begin();
    say_of("poll-bad", poll(polled, 1, 1000));
    printf("poll-bad-event %d\n", polled[0].revents == POLLNVAL);
    int file = open("/proc/self/exe", O_RDONLY);
    polled[0] = (struct pollfd){file, POLLIN, 0};
    polled[1] = (struct pollfd){client, POLLIN, 0};
    begin();
    say_of("poll-file-and-socket", poll(polled, 2, 1000));
    polled[0] = (struct pollfd){client, POLLIN, 0};
    polled[1] = (struct pollfd){pipes[0], POLLIN, 0};
    begin();
    later(50, pipes[1], WRITE);
    say_of("poll-two", poll(polled, 2, 1000));
    printf("poll-two-event %d %d\n", polled[0].revents, polled[1].revents);
    assert(read(pipes[0], &byte, 1) == 1);
    begin();
    say_of("poll-timeout", poll(polled, 2, 60));
    fd_set set;
    FD_ZERO(&set);
    FD_SET(client, &set);
    FD_SET(pipes[0], &set);
    struct timeval time = {0, 60000};
    begin();
    say_of("select-timeout", select(pipes[0] > client ? pipes[0] + 1 : client + 1, &set, NULL, NULL, &time));
    printf("select-left %ld %d\n", time.tv_usec / 1000, FD_ISSET(client, &set));
    FD_SET(client, &set);
    FD_SET(pipes[0], &set);
    begin();
    later(50, pipes[1], WRITE);
    say_of("select-two", select(pipes[0] > client ? pipes[0] + 1 : client + 1, &set, NULL, NULL, NULL));
    printf("select-event %d %d\n", FD_ISSET(client, &set), FD_ISSET(pipes[0], &set));
    assert(read(pipes[0], &byte, 1) == 1);
    int epoll = epoll_create1(0);
    struct epoll_event wanted = {EPOLLIN, {.fd = pipes[0]}}, seen;
    epoll_ctl(epoll, EPOLL_CTL_ADD, pipes[0], &wanted);
    begin();
    later(50, pipes[1], WRITE);
    say_of("epoll", epoll_wait(epoll, &seen, 1, 1000));
    assert(read(pipes[0], &byte, 1) == 1);
    begin();
    say_of("epoll-timeout", epoll_wait(epoll, &seen, 1, 60));
    begin();
    struct timespec nap = {0, 60000000};
    say_of("nanosleep", nanosleep(&nap, NULL));

    if (inherited >= 0) {
        fcntl(inherited, F_SETFL, fcntl(inherited, F_GETFL) & ~O_NONBLOCK);
        begin();
        assert(write(asking, "x", 1) == 1);
        say_of("inherited", read(inherited, &byte, 1));
        assert(write(asking, "x", 1) == 1);
        begin();
        say_of("inherited-again", read(inherited, &byte, 1));
    }

    // The results of fcntl.
    begin();
    say_of("fcntl-bad", fcntl(-1, F_GETFD));
    int dupfd = fcntl(pipes[0], F_DUPFD_CLOEXEC, 700);
    printf("dupfd %d %d\n", dupfd >= 700, fcntl(dupfd, F_GETFD) == FD_CLOEXEC);
    printf("pipe-size %d\n", fcntl(pipes[0], F_GETPIPE_SZ) > 0);

    // A descriptor beyond libco's table, if the limit permits that many.
    struct rlimit most;
    getrlimit(RLIMIT_NOFILE, &most);
    most.rlim_cur = most.rlim_max;
    setrlimit(RLIMIT_NOFILE, &most);
    int far = dup2(pipes[0], most.rlim_max > 150000 ? 150000 : (int)most.rlim_max - 1);
    begin();
    later(50, pipes[1], WRITE);
    say_of("far", read(far, &byte, 1));

    // A number that gets another file.
    int stale[2];
    pair(stale);
    fcntl(stale[0], F_SETFL, O_NONBLOCK);
    begin();
    say_of("stale-before", read(stale[0], &byte, 1));
    int number = stale[0];
    weir_coop_enable_if_present(WEIR_COOP_THREAD, 0);
    close(stale[0]);
    weir_coop_enable_if_present(WEIR_COOP_THREAD, 1);
    assert(dup2(pipes[0], number) == number);
    begin();
    later(50, pipes[1], WRITE);
    say_of("stale-after", read(number, &byte, 1));

    // A broken pipe.
    signal(SIGPIPE, on_pipe);
    int dead[2];
    assert(pipe(dead) == 0);
    close(dead[0]);
    begin();
    say_of("broken-pipe", write(dead[1], "x", 1));
    printf("sigpipes %d\n", broken);
    pair(dead);
    close(dead[0]);
    begin();
    say_of("broken-socket", write(dead[1], "x", 1));
    printf("sigpipes %d\n", broken);
    int gone[2];
    pair(gone);
    begin();
    later(50, gone[1], CLOSE);
    say_of("end-of-file", read(gone[0], &byte, 1));

    if (in_coroutines) {
        int watched[2][2];
        pair(ends);
        for (int i = 0; i < 2; i++) {
            watched[i][0] = ends[0];
            watched[i][1] = i;
            go("waiter", wait_for, watched[i]);
        }
        begin();
        later(100, ends[1], WRITE);
        usleep(200000);
        printf("two-waiters %d %d\n", woken[0], woken[1]);
        int closed[2];
        pair(closed);
        go("reader", close_later_reader, &closed[0]);
        begin();
        usleep(50000);
        close(closed[0]);
        usleep(50000);
    }
    ticks = -1;
}

// Runs beside all checks.
static void ticker(void *unused) {
    while (ticks >= 0) {
        usleep(10000);
        if (ticks >= 0)
            ticks++;
    }
}

int main(int count_of_arguments, char **arguments) {
    setvbuf(stdout, NULL, _IONBF, 0);
    in_coroutines = count_of_arguments == 1;
    const char *ends = getenv("ENDS");
    if (ends == NULL) {
        // The standard input and another descriptor come from before an exec.
        int answers[2], questions[2];
        assert(pipe(answers) == 0 && pipe(questions) == 0);
        if (fork() == 0) {
            char byte;
            close(questions[1]);
            while (read(questions[0], &byte, 1) == 1) {
                usleep(60000);
                assert(write(answers[1], "x", 1) == 1);
            }
            _exit(0);
        }
        close(questions[0]);
        dup2(answers[0], 0);
        char text[30];
        snprintf(text, sizeof text, "%d", questions[1]);
        setenv("ENDS", text, 1);
        execv("/proc/self/exe", arguments);
    }
    inherited = 0;
    asking = atoi(ends);
    if (!in_coroutines) {
        checks(NULL);
        return 0;
    }
    go("checks", checks, NULL);
    go("ticker", ticker, NULL);
    run();
    printf("registered %d\n", is_registered);
    return 0;
}
