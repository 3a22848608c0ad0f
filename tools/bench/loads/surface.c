/* surface KIND STEPS: what one step of a kind of I/O costs.
 *
 *   echo       1 byte there and back over TCP on this machine: two sends and two receives
 *   ball       the same between two threads, so that each receive has to wait
 *   putc       one character into a stream to /dev/null
 *   printf     one formatted line into such a stream
 *   open       one open and one close of a file
 */
#include "harness.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int ends[2];

static int connect_ends(void) {
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof here;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    int one = 1;
    if (bind(listener, (struct sockaddr *)&here, sizeof here) || listen(listener, 1) ||
        getsockname(listener, (struct sockaddr *)&here, &length))
        return 0;
    ends[0] = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(ends[0], (struct sockaddr *)&here, sizeof here))
        return 0;
    ends[1] = accept(listener, NULL, NULL);
    for (int i = 0; i < 2; i++)
        setsockopt(ends[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return ends[1] >= 0;
}

static int echo(void) {
    char byte = 'x';
    return send(ends[0], &byte, 1, 0) == 1 && recv(ends[1], &byte, 1, 0) == 1 &&
           send(ends[1], &byte, 1, 0) == 1 && recv(ends[0], &byte, 1, 0) == 1;
}

static void *throw_back(void *unused) {
    char byte;
    (void)unused;
    while (recv(ends[1], &byte, 1, 0) == 1 && send(ends[1], &byte, 1, 0) == 1)
        ;
    return NULL;
}

static int start_thrower(void) {
    pthread_t thread;
    return connect_ends() && pthread_create(&thread, NULL, throw_back, NULL) == 0;
}

static int ball(void) {
    char byte = 'x';
    return send(ends[0], &byte, 1, 0) == 1 && recv(ends[0], &byte, 1, 0) == 1;
}

static FILE *sink;
static long count;

static int put_character(void) { return putc('x', sink) == 'x'; }

static int print_line(void) { return fprintf(sink, "line %ld of %s\n", count++, "many") > 0; }

static int open_and_close(void) {
    int fd = open("/dev/null", O_RDONLY);
    return fd >= 0 && close(fd) == 0;
}

int main(int argc, char **argv) {
    long steps = count_argument(argc, argv, 2);
    int (*step)(void) = NULL;
    if (!strcmp(argv[1], "echo") && connect_ends())
        step = echo;
    if (!strcmp(argv[1], "ball") && start_thrower())
        step = ball;
    if (!strcmp(argv[1], "putc"))
        step = put_character;
    if (!strcmp(argv[1], "printf"))
        step = print_line;
    if (!strcmp(argv[1], "open"))
        step = open_and_close;
    sink = fopen("/dev/null", "w");
    if (!step || !sink)
        return 2;
    double begin = clock_ns();
    for (long i = 0; i < steps; i++)
        if (!step())
            return 1;
    print_result("ns_per_step", (clock_ns() - begin) / (double)steps);
    return 0;
}
