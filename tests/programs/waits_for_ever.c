// flags: -pthread
// Threads that each wait in a call that never returns, while the program ends. It kills itself, or it leaves a read
// by a jump and exits with status 3. Prints the call of each thread, its thread id and its descriptor, -1 if it has
// none.
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static int pipe_ends[2];
static int listener;
static atomic_int waiting;

static void tell(const char *call, int fd) {
    char line[100];
    int length = snprintf(line, sizeof line, "%s %d %d\n", call, gettid(), fd);
    if (write(1, line, length) != length) _exit(1);
    waiting++;
}

static void *reads(void *unused) {
    char byte;
    tell("read", pipe_ends[0]);
    read(pipe_ends[0], &byte, 1);
    return unused;
}

static void *polls(void *unused) {
    struct pollfd one = {.fd = pipe_ends[0], .events = POLLIN};
    tell("poll", -1);
    poll(&one, 1, -1);
    return unused;
}

static void *accepts(void *unused) {
    tell("accept", listener);
    accept(listener, NULL, NULL);
    return unused;
}

static void *sleeps(void *unused) {
    tell("sleep", -1);
    sleep(1000);
    return unused;
}

static void *opens(void *unused) {
    tell("open", -1);
    open("fifo", O_RDONLY);
    return unused;
}

// Waits for a child. The child waits for a pipe that is closed when its parent ends.
static void *waits(void *unused) {
    int ends[2];
    if (pipe(ends)) _exit(1);
    pid_t child = fork();
    if (child == 0) {
        char byte;
        close(ends[1]);
        _exit(read(ends[0], &byte, 1) == 0 ? 0 : 1);
    }
    tell("waitpid", -1);
    waitpid(child, NULL, 0);
    return unused;
}

// A cancellation ends this call, and the thread.
static void *is_cancelled(void *unused) {
    char byte;
    waiting++;
    read(pipe_ends[0], &byte, 1);
    return unused;
}

static sigjmp_buf before;

static void jump(int signal) {
    (void)signal;
    siglongjmp(before, 1);
}

static void leaves_a_read(void) {
    char byte;
    signal(SIGALRM, jump);
    if (sigsetjmp(before, 1) == 0) {
        ualarm(20000, 0);
        read(pipe_ends[0], &byte, 1);
        _exit(1);
    }
}

int main(int argc, char **argv) {
    void *(*ways[])(void *) = {reads, polls, accepts, sleeps, opens, waits};
    int count = sizeof ways / sizeof *ways;
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "listener"};
    pthread_t thread, cancelled;
    if (argc != 2 || pipe(pipe_ends) || mkfifo("fifo", 0600)) return 1;
    listener = socket(AF_UNIX, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1)) return 1;
    if (pthread_create(&cancelled, NULL, is_cancelled, NULL)) return 1;
    while (waiting == 0) usleep(1000);
    usleep(20000);
    if (pthread_cancel(cancelled) || pthread_join(cancelled, NULL)) return 1;
    for (int way = 0; way < count; way++) {
        if (pthread_create(&thread, NULL, ways[way], NULL)) return 1;
        while (waiting < way + 2) usleep(1000);
    }
    usleep(400000);
    if (strcmp(argv[1], "killed") == 0) raise(SIGKILL);
    leaves_a_read();
    exit(3);
}
