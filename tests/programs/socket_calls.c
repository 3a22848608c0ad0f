// flags: -O1 -fno-builtin -U_FORTIFY_SOURCE
/* Calls every socket function a known number of times, with known sizes and errors. */
#include "witness.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

NAMED(int, connect_alias, __connect, int, const struct sockaddr *, socklen_t);
#ifdef __x86_64__
NAMED(ssize_t, send_alias, __send, int, const void *, size_t, int);
#define SEND_ALIAS(size, ...) MOVE(__send, size, send_alias(__VA_ARGS__))
#else /* There is no such name. */
#define SEND_ALIAS(size, ...) MOVE(send, size, send(__VA_ARGS__))
#endif
NAMED(ssize_t, recv_chk, __recv_chk, int, void *, size_t, size_t, int);
NAMED(ssize_t, recvfrom_chk, __recvfrom_chk, int, void *, size_t, size_t, int, struct sockaddr *,
      socklen_t *);

static char buffer[1 << 16];
static const int bad = 987;

/* A listener on 127.0.0.1, on a port that the kernel chooses. */
static int listener(struct sockaddr_in *at) {
    int fd = (int)TRY(socket, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    MUST(fd >= 0);
    *at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    MUST(!TRY(bind, bind(fd, (struct sockaddr *)at, sizeof *at)));
    socklen_t length = sizeof *at;
    MUST(!TRY(getsockname, getsockname(fd, (struct sockaddr *)at, &length)));
    MUST(!TRY(listen, listen(fd, 10)));
    return fd;
}

/* `one` and `other` are connected, or send each other datagrams. */
static void talk(int one, int other) {
    for (int i = 1; i <= 5; i++) {
        size_t size = (size_t)i * 100;
        MUST(MOVE(send, size, send(one, buffer, size, 0)) == (long)size);
        MUST(MOVE(recv, sizeof buffer, recv(other, buffer, sizeof buffer, 0)) == (long)size);
        MUST(SEND_ALIAS(size, one, buffer, size, MSG_NOSIGNAL) == (long)size);
        MUST(MOVE(__recv_chk, 60000, recv_chk(other, buffer, 60000, sizeof buffer, 0)) == (long)size);
        MUST(MOVE(sendto, 7, sendto(one, buffer, 7, 0, NULL, 0)) == 7);
        MUST(MOVE(recvfrom, 100, recvfrom(other, buffer, 100, 0, NULL, NULL)) == 7);
        MUST(MOVE(sendto, 8, sendto(one, buffer, 8, 0, NULL, 0)) == 8);
        MUST(MOVE(__recvfrom_chk, 100,
                  recvfrom_chk(other, buffer, 100, sizeof buffer, 0, NULL, NULL)) == 8);
    }
    struct iovec parts[2] = {{buffer, 30}, {buffer + 30, 12}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    for (int i = 0; i < 3; i++) {
        MUST(MOVE(sendmsg, 42, sendmsg(one, &message, 0)) == 42);
        MUST(MOVE(recvmsg, 42, recvmsg(other, &message, 0)) == 42);
    }
    MUST(MOVE(recv, 10, recv(other, buffer, 10, MSG_DONTWAIT)) < 0 && errno == EAGAIN);
    MUST(MOVE(recvmsg, 0, recvmsg(other, &message, MSG_DONTWAIT)) < 0 && errno == EAGAIN);
    MUST(MOVE(write, 11, write(one, buffer, 11)) == 11);
    MUST(MOVE(read, 50, read(other, buffer, 50)) == 11);
}

static void many_messages(int one, int other) {
    struct iovec parts[3] = {{buffer, 5}, {buffer, 6}, {buffer, 7}};
    struct mmsghdr messages[3];
    memset(messages, 0, sizeof messages);
    for (int i = 0; i < 3; i++)
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
    MUST(DONE(sendmmsg, 18, sendmmsg(one, messages, 3, 0)) == 3);
    MUST(DONE(recvmmsg, 18, recvmmsg(other, messages, 3, 0, NULL)) == 3);
    MUST(DONE(sendmmsg, 5, sendmmsg(one, messages, 1, 0)) == 1);
    MUST(DONE(recvmmsg, 5, recvmmsg(other, messages, 3, MSG_DONTWAIT, NULL)) == 1);
    MUST(FAIL(recvmmsg, EAGAIN, recvmmsg(other, messages, 3, MSG_DONTWAIT, NULL)) < 0);
    MUST(FAIL(sendmmsg, EBADF, sendmmsg(bad, messages, 3, 0)) < 0);
}

int main(void) {
    struct sockaddr_in at;
    int listens = listener(&at);
    const struct sockaddr *address = (struct sockaddr *)&at;

    for (int i = 0; i < 6; i++) {
        int client = (int)TRY(socket, socket(AF_INET, SOCK_STREAM, 0));
        MUST(client >= 0);
        if (i % 3)
            MUST(!TRY(connect, connect(client, address, sizeof at)));
        else
            MUST(!TRY(__connect, connect_alias(client, address, sizeof at)));
        int server = i % 2 ? (int)TRY(accept, accept(listens, NULL, NULL))
                           : (int)TRY(accept4, accept4(listens, NULL, NULL, SOCK_CLOEXEC));
        MUST(server >= 0);
        int yes = 1;
        socklen_t length = sizeof yes;
        MUST(!TRY(setsockopt, setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes)));
        MUST(!TRY(getsockopt, getsockopt(client, IPPROTO_TCP, TCP_NODELAY, &yes, &length)) && yes);
        struct sockaddr_in peer;
        length = sizeof peer;
        MUST(!TRY(getpeername, getpeername(client, (struct sockaddr *)&peer, &length)));
        MUST(peer.sin_port == at.sin_port);
        talk(client, server);
        talk(server, client);
        MUST(!TRY(shutdown, shutdown(client, SHUT_WR)));
        MUST(MOVE(recv, 10, recv(server, buffer, 10, 0)) == 0);
        MUST(TRY(getsockopt, getsockopt(client, 12345, 1, &yes, &length)) < 0);
        MUST(!TRY(close, close(client)));
        MUST(!TRY(close, close(server)));
    }
    MUST(!TRY(close, close(listens)));

    int ends[2];
    MUST(!TRY(socketpair, socketpair(AF_UNIX, SOCK_STREAM, 0, ends)));
    talk(ends[0], ends[1]);
    MUST(!TRY(close, close(ends[1])));
    MUST(MOVE(send, 3, send(ends[0], "abc", 3, MSG_NOSIGNAL)) < 0 && errno == EPIPE);
    MUST(!TRY(close, close(ends[0])));
    MUST(!TRY(socketpair, socketpair(AF_UNIX, SOCK_DGRAM, 0, ends)));
    many_messages(ends[0], ends[1]);
    MUST(!TRY(close, close(ends[0])));
    MUST(!TRY(close, close(ends[1])));

    int lonely = (int)TRY(socket, socket(AF_UNIX, SOCK_STREAM, 0));
    struct sockaddr_un none = {.sun_family = AF_UNIX, .sun_path = "no/such/socket"};
    MUST(TRY(connect, connect(lonely, (struct sockaddr *)&none, sizeof none)) < 0 && errno == ENOENT);
    MUST(TRY(accept, accept(lonely, NULL, NULL)) < 0 && errno == EINVAL);
    MUST(TRY(getpeername, getpeername(lonely, NULL, NULL)) < 0);
    MUST(MOVE(recv, 5, recv(lonely, buffer, 5, 0)) < 0 && errno == EINVAL);
    MUST(!TRY(close, close(lonely)));

    MUST(TRY(socket, socket(12345, SOCK_STREAM, 0)) < 0 && errno == EAFNOSUPPORT);
    MUST(TRY(socketpair, socketpair(AF_INET, SOCK_STREAM, 0, ends)) < 0);
    MUST(TRY(bind, bind(bad, address, sizeof at)) < 0 && errno == EBADF);
    MUST(TRY(listen, listen(bad, 1)) < 0 && errno == EBADF);
    MUST(TRY(connect, connect(bad, address, sizeof at)) < 0 && errno == EBADF);
    MUST(TRY(accept4, accept4(bad, NULL, NULL, 0)) < 0 && errno == EBADF);
    MUST(TRY(shutdown, shutdown(0, SHUT_RD)) < 0 && errno == ENOTSOCK);
    MUST(TRY(setsockopt, setsockopt(bad, SOL_SOCKET, SO_REUSEADDR, &bad, sizeof bad)) < 0 && errno == EBADF);
    socklen_t room = sizeof none;
    MUST(TRY(getsockname, getsockname(bad, (struct sockaddr *)&none, &room)) < 0 && errno == EBADF);
    MUST(MOVE(send, 5, send(bad, buffer, 5, 0)) < 0 && errno == EBADF);
    MUST(MOVE(sendto, 5, sendto(bad, buffer, 5, 0, NULL, 0)) < 0 && errno == EBADF);
    MUST(MOVE(recvfrom, 5, recvfrom(bad, buffer, 5, 0, NULL, NULL)) < 0 && errno == EBADF);
    MUST(MOVE(sendmsg, 0, sendmsg(bad, NULL, 0)) < 0);
    tell();
    return 0;
}
