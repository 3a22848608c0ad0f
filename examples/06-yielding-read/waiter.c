/* Reads from sockets by plain blocking calls, and says for each what came of it, and whether other work
   ran meanwhile. It says the same with yielding_read as without, but for that, where the hook is right. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir.h>

extern void yield_by(int (*wait)(int, short, int)) __attribute__((weak)); /* of yielding_read */
extern char *take_last_name(void) __attribute__((weak));                  /* of allocating_dlsym */

/* Stands in for a scheduler: what other coroutines of the thread would do, in pieces. Like them it
   leaves its own errno behind. */
static int pieces;

static void other_work(void)
{
    pieces++;
    open("/no/such/file", O_RDONLY);
}

static int wait_fd(int fd, short events, int timeout_ms)
{
    struct pollfd one = {.fd = fd, .events = events};
    for (int left = timeout_ms;; left -= 10) {
        other_work();
        int ready = poll(&one, 1, timeout_ms < 0 || left > 10 ? 10 : left);
        if (ready != 0)
            return ready < 0 ? -errno : one.revents;
        if (timeout_ms >= 0 && left <= 10)
            return 0;
    }
}

static char coroutine; /* the only one */

static void *current(void)
{
    return &coroutine;
}

static void must(int is_so, const char *what)
{
    if (!is_so) {
        perror(what);
        exit(1);
    }
}

static int pair[2];
static pid_t sender;

/* Makes two sockets; what is sent by the second comes to the first. */
static void begin(void)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    socklen_t size = sizeof name;

    for (int i = 0; i < 2; i++)
        must((pair[i] = socket(AF_UNIX, SOCK_DGRAM, 0)) >= 0, "socket");
    /* The kernel gives it a name that nobody has. */
    must(bind(pair[0], (struct sockaddr *)&name, sizeof name.sun_family) == 0, "bind");
    must(getsockname(pair[0], (struct sockaddr *)&name, &size) == 0, "getsockname");
    must(connect(pair[1], (struct sockaddr *)&name, size) == 0, "connect");
    pieces = 0;
}

/* Has another process send "Good" after so long. */
static void send_after(int ms, int to)
{
    sender = fork();
    must(sender >= 0, "fork");
    if (sender == 0) {
        struct timespec time = {.tv_nsec = ms * 1000000L};
        syscall(SYS_nanosleep, &time, NULL);
        _exit(syscall(SYS_write, to, "Good", 4) != 4);
    }
}

/* Ends what was begun. */
static void end(void)
{
    must(waitpid(sender, NULL, 0) == sender, "waitpid");
    close(pair[0]);
    close(pair[1]);
}

/* As end, and prints what a read gave. */
static void print(const char *name, const char *text, ssize_t size)
{
    const char *error = errno == EAGAIN ? "EAGAIN" : strerror(errno);
    const char *work = pieces > 0 ? ", other work ran" : "";

    if (size >= 0)
        printf("%s: \"%.*s\"%s\n", name, (int)size, text, work);
    else
        printf("%s: %s%s\n", name, error, work);
    fflush(stdout);
    end();
}

static void on_signal(int signal)
{
    (void)signal;
}

int main(int argc, char **argv)
{
    static const struct weir_coop runtime = {
        .abi = WEIR_COOP_ABI, .size = sizeof runtime, .name = "waiter", .current = current, .wait_fd = wait_fd,
    };
    char text[16];
    ssize_t size;

    if (yield_by)
        yield_by(wait_fd);
    weir_coop_register_if_present(&runtime);

    /* The first read of the process. What does it do before it reads? */
    if (take_last_name)
        free(take_last_name());
    if (read(-1, text, sizeof text) == 0)
        return 1;
    char *name = take_last_name ? take_last_name() : NULL;
    printf("first: dlsym allocated %s%s\n", name ? "for " : "nothing", name ? name : "");
    free(name);
    if (argc > 1 && strcmp(argv[1], "first") == 0)
        return 0;

    /* What it is for: a message that comes later. */
    begin();
    send_after(100, pair[1]);
    size = read(pair[0], text, sizeof text);
    print("message", text, size);

    /* One that comes much later. */
    begin();
    send_after(600, pair[1]);
    size = read(pair[0], text, sizeof text);
    print("late", text, size);

    /* Signals come first. Their handler lets calls go on. */
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    struct itimerval timer = {.it_value.tv_usec = 20000, .it_interval.tv_usec = 7000}, none = {0};
    begin();
    send_after(300, pair[1]);
    must(sigaction(SIGALRM, &action, NULL) == 0, "sigaction");
    must(setitimer(ITIMER_REAL, &timer, NULL) == 0, "setitimer");
    size = read(pair[0], text, sizeof text);
    int error = errno;
    must(setitimer(ITIMER_REAL, &none, NULL) == 0, "setitimer");
    errno = error;
    print("signal", text, size);

    /* A copy of the descriptor, by another number. */
    begin();
    send_after(300, pair[1]);
    int copy = dup(pair[0]);
    size = read(copy, text, sizeof text);
    print("copy", text, size);
    close(copy);

    /* Another process that has got the open file: what it calls is no hook. */
    begin();
    send_after(300, pair[1]);
    size = syscall(SYS_read, pair[0], text, sizeof text);
    print("other process", text, size);

    /* The number becomes that of an empty pipe, where a read is not to wait. */
    int ends[2];
    begin();
    must(pipe2(ends, O_NONBLOCK) == 0, "pipe2");
    must(dup2(ends[0], pair[0]) == pair[0], "dup2");
    send_after(600, ends[1]);
    size = read(pair[0], text, sizeof text);
    print("reused number", text, size);
    close(ends[0]);
    close(ends[1]);

    /* Who looks at errno after a call that succeeded. */
    begin();
    send_after(100, pair[1]);
    errno = 0;
    size = read(pair[0], text, sizeof text);
    error = errno;
    printf("errno after it: %s\n", size < 0 ? "that of a failure" : error == 0 ? "0" : strerror(error));
    end();
    return 0;
}
