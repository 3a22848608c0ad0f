// flags: -O1 -fno-builtin -D_GNU_SOURCE
/* Makes, moves and closes descriptors by bare system calls, as sandboxes and language runtimes do, and uses them
 * by the C library. The test knows what the report must say about each file. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Not every architecture has the older system calls. */
#ifdef SYS_open
#define OPEN(...) syscall(SYS_open, __VA_ARGS__)
#define CREAT(...) syscall(SYS_creat, __VA_ARGS__)
#define DUP2(...) syscall(SYS_dup2, __VA_ARGS__)
#else
#define OPEN(...) syscall(SYS_openat, AT_FDCWD, __VA_ARGS__)
#define CREAT(path, mode) syscall(SYS_openat, AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode)
#define DUP2(from, to) syscall(SYS_dup3, from, to, 0)
#endif

#define MUST(what)                                                             \
    do {                                                                       \
        if (!(what)) {                                                         \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what); \
            exit(99);                                                          \
        }                                                                      \
    } while (0)

static char bytes[1000];

static void put(int fd, size_t size) { MUST(write(fd, bytes, size) == (ssize_t)size); }

int main(void) {
    int one = open("one", O_RDWR | O_CREAT, 0600);
    put(one, 1);
    /* The number gets another file, three times. */
    MUST(syscall(SYS_close, one) == 0);
    int two = syscall(SYS_openat, AT_FDCWD, "two", O_RDWR | O_CREAT, 0600);
    MUST(two == one);
    put(two, 2);
    MUST(syscall(SYS_close_range, two, two, 0) == 0);
    MUST(OPEN("three", O_RDWR | O_CREAT, 0600) == one);
    put(one, 4);
    MUST(syscall(SYS_close, one) == 0);
    MUST(CREAT("four", 0600) == one);
    put(one, 8);
    /* An open number gets another file. */
    struct open_how how = {.flags = O_RDWR | O_CREAT, .mode = 0600};
    int five = syscall(SYS_openat2, AT_FDCWD, "five", &how, sizeof how);
    MUST(five > one);
    put(five, 16);
    MUST(DUP2(five, one) == one);
    put(one, 32);
    int six = open("six", O_RDWR | O_CREAT, 0600);
    MUST(syscall(SYS_dup3, six, one, O_CLOEXEC) == one);
    put(one, 64);
    put(syscall(SYS_dup, six), 128);
    put(syscall(SYS_fcntl, six, F_DUPFD_CLOEXEC, 50), 256);
    /* Failed calls have changed nothing. */
    MUST(DUP2(900, one) == -1 && syscall(SYS_dup3, six, six, 0) == -1);
    put(one, 512);
    /* The folder that relative names are relative to. */
    MUST(mkdir("sub", 0700) == 0);
    MUST(syscall(SYS_chdir, "sub") == 0);
    int seven = open("seven", O_RDWR | O_CREAT, 0600);
    put(seven, 3);
    /* The number of a file gets a pipe, then a socket. */
    MUST(syscall(SYS_close, seven) == 0);
    int ends[2];
    MUST(syscall(SYS_pipe2, ends, 0) == 0 && ends[0] == seven);
    put(ends[1], 5);
    MUST(read(ends[0], bytes, 5) == 5);
    MUST(syscall(SYS_close, ends[0]) == 0 && syscall(SYS_close, ends[1]) == 0);
    MUST(syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, ends) == 0 && ends[0] == seven);
    put(ends[1], 7);
    MUST(syscall(SYS_close, ends[0]) == 0 && syscall(SYS_close, ends[1]) == 0);
    MUST(syscall(SYS_eventfd2, 0, 0) == seven);
    put(seven, 8);
    MUST(syscall(SYS_close, seven) == 0);
    MUST(syscall(SYS_memfd_create, "in memory", 0) == seven);
    put(seven, 9);
    return 0;
}
