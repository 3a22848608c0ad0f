// flags: -O1 -fno-builtin -D_GNU_SOURCE
/* Reads lines that contain NULs, from every kind of stream, and receives messages that are longer than the buffer.
 * At the end it prints its own account of the bytes that each function moved. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define MUST(what)                                                             \
    do {                                                                       \
        if (!(what)) {                                                         \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what); \
            exit(99);                                                          \
        }                                                                      \
    } while (0)

static char line[70000];

/* Reads a stream to its end by lines. Its length is `total` bytes. */
static size_t by_lines(FILE *in, int room, size_t total) {
    MUST(in);
    while (fgets(line, room, in))
        ;
    MUST(feof(in) && !ferror(in));
    fclose(in);
    return total;
}

static void put(const char *name, const char *bytes, size_t length, int times) {
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    while (times--)
        MUST(write(fd, bytes, length) == (ssize_t)length);
    close(fd);
}

int main(int argc, char **argv) {
    MUST(argc == 2);
    size_t fgets_moved = 0, unlocked_moved = 0, gets_moved = 0;
    if (!strcmp(argv[1], "lines")) {
        put("some", "ab\0cdefgh\n", 10, 1000);
        fgets_moved += by_lines(fopen("some", "r"), 64, 10000);
        /* With a buffer that cuts each line. */
        fgets_moved += by_lines(fopen("some", "r"), 7, 10000);
        /* Only NULs, without a newline. */
        put("zeroes", line, 1000, 50);
        fgets_moved += by_lines(fopen("zeroes", "r"), 64, 50000);
        fgets_moved += by_lines(fopen("zeroes", "r"), sizeof line, 50000);
        /* A last line without newline. */
        put("open", "abc\ndef\0g", 9, 1);
        fgets_moved += by_lines(fopen("open", "r"), 64, 9);
        put("text", "abc\ndefg", 8, 1);
        fgets_moved += by_lines(fopen("text", "r"), 64, 8);
        /* Lines longer than the stream's buffer, and a stream without buffer. */
        memset(line, 'x', 9000), line[5] = line[8998] = 0, line[8999] = '\n';
        put("long", line, 9000, 3);
        fgets_moved += by_lines(fopen("long", "r"), sizeof line, 27000);
        FILE *in = fopen("some", "r");
        setvbuf(in, NULL, _IONBF, 0);
        fgets_moved += by_lines(in, 64, 10000);
        /* Streams that do not read from the kernel. */
        static char held[] = "1\0" "2\n3\0\0\n";
        fgets_moved += by_lines(fmemopen(held, 8, "r"), 64, 8);
        fgets_moved += by_lines(fopen("some", "rm"), 64, 10000);
        /* A byte that was pushed back. */
        in = fopen("some", "r");
        MUST(ungetc('z', in) == 'z');
        fgets_moved += by_lines(in, 64, 10001);
        in = fopen("some", "r");
        while (fgets_unlocked(line, 64, in))
            ;
        unlocked_moved = 10000;
        fclose(in);
        MUST(freopen("some", "r", stdin));
        extern char *gets(char *);
        while (gets(line))
            ;
        gets_moved = 9000;
    }
    size_t recv_moved = 0, recvfrom_moved = 0, recvmsg_moved = 0, recvmmsg_moved = 0;
    if (!strcmp(argv[1], "messages")) {
        int ends[2];
        char small[10];
        MUST(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) == 0);
        for (int i = 0; i < 7; i++)
            MUST(send(ends[0], line, 5000, 0) == 5000);
        MUST(recv(ends[1], NULL, 0, MSG_PEEK | MSG_TRUNC) == 5000);
        MUST(recv(ends[1], small, 10, MSG_TRUNC) == 5000);
        MUST(recv(ends[1], small, 10, 0) == 10);
        recv_moved = 20;
        MUST(recvfrom(ends[1], small, 7, MSG_TRUNC, NULL, NULL) == 5000);
        recvfrom_moved = 7;
        struct iovec parts[2] = {{small, 4}, {small + 4, 5}};
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
        MUST(recvmsg(ends[1], &message, MSG_TRUNC) == 5000);
        recvmsg_moved = 9;
        struct mmsghdr many[2] = {{message, 0}, {message, 0}};
        MUST(send(ends[0], line, 3, 0) == 3);
        MUST(recvmmsg(ends[1], many, 2, MSG_TRUNC, NULL) == 2 && many[0].msg_len == 5000);
        recvmmsg_moved = 18;
    }
    printf("fgets %zu\nfgets_unlocked %zu\ngets %zu\n", fgets_moved, unlocked_moved, gets_moved);
    printf("recv %zu\nrecvfrom %zu\nrecvmsg %zu\nrecvmmsg %zu\n", recv_moved, recvfrom_moved, recvmsg_moved,
           recvmmsg_moved);
    return 0;
}
