// flags: -O2 -Iinclude -Wno-unused-function -pthread
// Sends more than a buffer holds, by each function that sends, to each that receives. One coroutine writes while
// another reads, and the data must be the same. Without a runtime (an argument), the writer is a thread. If the
// argument is `signals`, there are handlers of both kinds.
#include "coroutines.h"
#include <netinet/in.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <sys/un.h>

enum { SIZE = 3 << 20, PIECE = 100001 };

static char *sent, *got;
static int in_coroutines, ends[2], done;

static void check(const char *what, long bytes) {
    printf("%s %ld %s\n", what, bytes, bytes == SIZE && memcmp(sent, got, SIZE) == 0 ? "same" : "other");
    memset(got, 0, SIZE);
}

// How the writer writes, and how the reader reads.
static enum { WRITE, WRITEV, SEND, SENDTO, SENDMSG, SENDMMSG, SENDFILE, SPLICE } how;
static int file;

static struct iovec *vector_of(char *from, struct iovec *vector, int count) {
    // Parts of different sizes, one of them empty.
    size_t at = 0;
    for (int i = 0; i < count; i++) {
        size_t length = i == count - 1 ? SIZE - at : i == 1 ? 0 : PIECE * (i + 1);
        vector[i] = (struct iovec){from + at, length};
        at += length;
    }
    return vector;
}

static void writer(void *unused) {
    struct iovec vector[6];
    struct msghdr message = {.msg_iov = vector_of(sent, vector, 6), .msg_iovlen = 6};
    struct mmsghdr several[2] = {{.msg_hdr = {.msg_iov = vector, .msg_iovlen = 3}},
                                 {.msg_hdr = {.msg_iov = vector + 3, .msg_iovlen = 3}}};
    off_t at = 0;
    long moved = -1;
    switch (how) {
    case WRITE: moved = write(ends[1], sent, SIZE); break;
    case WRITEV: moved = writev(ends[1], vector, 6); break;
    case SEND: moved = send(ends[1], sent, SIZE, MSG_NOSIGNAL); break;
    case SENDTO: moved = sendto(ends[1], sent, SIZE, 0, NULL, 0); break;
    case SENDMSG: moved = sendmsg(ends[1], &message, 0); break;
    case SENDMMSG:
        if (sendmmsg(ends[1], several, 2, 0) == 2)
            moved = several[0].msg_len + several[1].msg_len;
        break;
    case SENDFILE:
        for (moved = 0; moved < SIZE;) {
            long some = sendfile(ends[1], file, &at, SIZE - moved);
            assert(some > 0);
            moved += some;
        }
        break;
    case SPLICE:
        for (moved = 0; moved < SIZE;) {
            loff_t from = moved;
            long some = splice(file, &from, ends[1], NULL, SIZE - moved, 0);
            assert(some > 0);
            moved += some;
        }
        break;
    }
    printf("wrote %ld\n", moved);
    done = 1;
}

static void *writer_thread(void *unused) {
    writer(NULL);
    return NULL;
}

static void begin_writing(int next) {
    static pthread_t thread;
    static int is_started;
    how = next;
    done = 0;
    if (in_coroutines) {
        go("writer", writer, NULL);
        return;
    }
    if (is_started)
        pthread_join(thread, NULL);
    is_started = 1;
    pthread_create(&thread, NULL, writer_thread, NULL);
}

static void finish(void) {
    while (!__atomic_load_n(&done, __ATOMIC_ACQUIRE))
        usleep(1000);
}

static long read_all(int fd) {
    long bytes = 0;
    while (bytes < SIZE) {
        long some = read(fd, got + bytes, SIZE - bytes);
        if (some <= 0)
            return some;
        bytes += some;
    }
    return bytes;
}

static void reader(void *unused) {
    static const char *const names[] = {"write",   "writev",   "send",     "sendto",
                                        "sendmsg", "sendmmsg", "sendfile", "splice"};
    // Streams: to a socket, by each function that sends.
    for (int way = WRITE; way <= SENDFILE; way++) {
        assert(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
        begin_writing(way);
        long bytes = 0;
        struct iovec vector[6];
        struct msghdr message = {.msg_iov = vector_of(got, vector, 6), .msg_iovlen = 6};
        switch (way) {
        case SEND: bytes = recv(ends[0], got, SIZE, MSG_WAITALL); break;
        case SENDTO: bytes = recvfrom(ends[0], got, SIZE, MSG_WAITALL, NULL, NULL); break;
        default: bytes = read_all(ends[0]);
        }
        finish();
        check(names[way], bytes);
        if (way == WRITEV) {
            // The queue is full once everything is sent. Nobody reads, and the call returns all the same.
            int full[2], room = 0;
            socklen_t size = sizeof room;
            assert(socketpair(AF_UNIX, SOCK_STREAM, 0, full) == 0);
            assert(getsockopt(full[1], SOL_SOCKET, SO_SNDBUF, &room, &size) == 0);
            struct iovec most[2] = {{sent, room / 2}, {sent, 1}};
            printf("fills %d\n", writev(full[1], most, 2) == room / 2 + 1);
            close(full[0]);
            close(full[1]);
        }
        if (way == WRITE) {
            // Reads the available bytes into several parts.
            assert(write(ends[1], sent, PIECE) == PIECE);
            long some = readv(ends[0], vector, 6);
            assert(write(ends[1], sent, PIECE) == PIECE);
            printf("readv %d %d\n", some == PIECE, memcmp(got, sent, PIECE) == 0);
            some = recvmsg(ends[0], &message, 0);
            printf("recvmsg %d %d\n", some == PIECE, memcmp(got, sent, PIECE) == 0);
            memset(got, 0, SIZE);
        }
        close(ends[0]);
        close(ends[1]);
    }
    // A pipe, for which there is no try without blocking.
    static const int ways[] = {WRITE, WRITEV, SPLICE};
    for (int i = 0; i < 3; i++) {
        int way = ways[i];
        int pipes[2];
        assert(pipe(pipes) == 0);
        ends[0] = pipes[0];
        ends[1] = pipes[1];
        begin_writing(way);
        long bytes = read_all(pipes[0]);
        finish();
        check(way == SPLICE ? "splice" : way == WRITE ? "pipe" : "pipe of parts", bytes);
        close(pipes[0]);
        close(pipes[1]);
    }
    // Single messages, and several at once.
    assert(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) == 0);
    struct timespec bound = {5, 0};
    struct iovec parts[3] = {{got, 10}, {got + 10, 10}, {got + 20, 10}};
    struct mmsghdr messages[3];
    memset(messages, 0, sizeof messages);
    for (int i = 0; i < 3; i++) {
        messages[i].msg_hdr.msg_iov = &parts[i];
        messages[i].msg_hdr.msg_iovlen = 1;
        assert(send(ends[1], sent, i + 1, 0) == i + 1);
    }
    int count = recvmmsg(ends[0], messages, 3, 0, &bound);
    printf("recvmmsg %d %u %u %u\n", count, messages[0].msg_len, messages[1].msg_len, messages[2].msg_len);
    assert(send(ends[1], sent, 7, 0) == 7);
    count = recvmmsg(ends[0], messages, 3, MSG_WAITFORONE, NULL);
    printf("recvmmsg %d %u\n", count, messages[0].msg_len);

    // With a mask of signals.
    sigset_t mask;
    sigemptyset(&mask);
    struct pollfd one = {ends[0], POLLIN, 0};
    struct timespec soon = {0, 50000000};
    int polled = ppoll(&one, 1, &soon, &mask);
    fd_set set;
    FD_ZERO(&set);
    FD_SET(ends[0], &set);
    int selected = pselect(ends[0] + 1, &set, NULL, NULL, &soon, &mask);
    int epoll = epoll_create1(0);
    struct epoll_event wanted = {EPOLLIN, {.fd = ends[0]}}, seen;
    epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &wanted);
    int waited = epoll_pwait(epoll, &seen, 1, 50, &mask);
    printf("masked %d %d %d\n", polled, selected, waited);
    assert(send(ends[1], sent, 7, 0) == 7);
    printf("masked %d %d\n", ppoll(&one, 1, NULL, &mask), epoll_pwait(epoll, &seen, 1, -1, &mask));

    // A full queue of connections.
    struct sockaddr_un name = {AF_UNIX, ""};
    snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "weir-%d", getpid());
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), clients[3];
    assert(bind(listener, (void *)&name, sizeof name) == 0 && listen(listener, 0) == 0);
    struct timeval bounded = {0, 80000};
    int connected = 0, refused = 0;
    for (int i = 0; i < 3; i++) {
        clients[i] = socket(AF_UNIX, SOCK_STREAM, 0);
        setsockopt(clients[i], SOL_SOCKET, SO_SNDTIMEO, &bounded, sizeof bounded);
        if (connect(clients[i], (void *)&name, sizeof name) == 0)
            connected++;
        else
            refused += errno == EAGAIN;
    }
    struct timeval kept = {0, 0};
    socklen_t length = sizeof kept;
    getsockopt(clients[0], SOL_SOCKET, SO_SNDTIMEO, &kept, &length);
    printf("queue %d %d %d\n", connected, refused, kept.tv_usec >= 80000);
}

static void handler(int signal) { (void)signal; }

int main(int count_of_arguments, char **arguments) {
    if (count_of_arguments == 2 && strcmp(arguments[1], "signals") == 0) {
        struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
        sigaction(SIGUSR1, &action, NULL);
        action.sa_flags = 0;
        sigaction(SIGUSR2, &action, NULL);
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    in_coroutines = count_of_arguments == 1;
    sent = malloc(SIZE);
    got = calloc(1, SIZE);
    for (int i = 0; i < SIZE; i++)
        sent[i] = (char)(i * 7 + i / 251);
    file = fileno(tmpfile());
    assert(pwrite(file, sent, SIZE, 0) == SIZE);
    if (!in_coroutines) {
        reader(NULL);
        return 0;
    }
    go("reader", reader, NULL);
    run();
    return 0;
}
