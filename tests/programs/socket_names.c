// flags: -O1 -fno-builtin -D_GNU_SOURCE
/* Sends data through sockets of every kind, and prints their ports. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MUST(what)                                                        \
    do {                                                                  \
        if (!(what)) {                                                    \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what); \
            exit(99);                                                     \
        }                                                                 \
    } while (0)

static char bytes[1000];

static int bound(int kind, struct sockaddr_in *at) {
    int fd = socket(AF_INET, kind, 0);
    *at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof *at;
    MUST(!bind(fd, (struct sockaddr *)at, length));
    MUST(!getsockname(fd, (struct sockaddr *)at, &length));
    MUST(!close(fd));
    /* Binds again, with the port that it got, so that the port is in the socket's name. */
    fd = socket(AF_INET, kind, 0);
    int yes = 1;
    MUST(!setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes));
    MUST(!bind(fd, (struct sockaddr *)at, length));
    return fd;
}

static void talk(int client, int server) {
    MUST(send(client, bytes, 100, 0) == 100 && recv(server, bytes, 1000, 0) == 100);
    MUST(write(server, bytes, 30) == 30 && read(client, bytes, 1000) == 30);
}

int main(void) {
    struct sockaddr_in tcp, udp;
    int listener = bound(SOCK_STREAM, &tcp);
    MUST(!listen(listener, 5));
    for (int i = 0; i < 3; i++) {
        int client = socket(AF_INET, SOCK_STREAM, 0);
        MUST(!connect(client, (struct sockaddr *)&tcp, sizeof tcp));
        int server = i % 2 ? accept(listener, NULL, NULL) : accept4(listener, NULL, NULL, 0);
        talk(client, server);
        int copy = dup(client);
        MUST(!close(client));
        talk(copy, server);
        MUST(!close(copy) && !close(server));
    }

    int datagrams = bound(SOCK_DGRAM, &udp), sender = socket(AF_INET, SOCK_DGRAM, 0);
    MUST(!connect(sender, (struct sockaddr *)&udp, sizeof udp));
    MUST(send(sender, bytes, 7, 0) == 7 && recv(datagrams, bytes, 1000, 0) == 7);

    struct sockaddr_un path = {.sun_family = AF_UNIX, .sun_path = "socket"};
    int local = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
    MUST(!bind(local, (struct sockaddr *)&path, sizeof path) && !listen(local, 1));
    MUST(!connect(client, (struct sockaddr *)&path, sizeof path));
    int server = accept(local, NULL, NULL);
    talk(client, server);

    int ends[2];
    MUST(!socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    talk(ends[0], ends[1]);
    printf("%d %d\n", ntohs(tcp.sin_port), ntohs(udp.sin_port));
    return 0;
}
