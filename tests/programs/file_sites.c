// flags: -O1 -g
/* Reads and writes files at known sites: each file in two functions, and two files in the same one. */
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char buffer[4096];

__attribute__((noinline)) static int expect(long got, long wanted) {
    if (got != wanted)
        _exit(3);
    return 1;
}

/* Both files are written and read at the same sites. */
__attribute__((noinline)) static int write_file(const char *name, int times) {
    int fd = open(name, O_CREAT | O_RDWR, 0600);
    for (int i = 0; i < times; i++)
        expect(write(fd, buffer, 1000), 1000);
    return fd;
}

__attribute__((noinline)) static int read_file(int fd, int times) {
    expect(lseek(fd, 0, SEEK_SET), 0);
    for (int i = 0; i < times; i++)
        expect(read(fd, buffer, 100), 100);
    return expect(close(fd), 0);
}

int main(void) {
    memset(buffer, 'x', sizeof buffer);
    /* Longer than they need be: else the loops would be unrolled. */
    static const char *names[9] = {"one", "two"};
    int open_files[9];
    volatile int count = 2;
    for (int i = 0; i < count; i++)
        open_files[i] = write_file(names[i], 2 + i);
    for (int i = 0; i < count; i++)
        read_file(open_files[i], 5 + 2 * i);
    /* The first file at another site. */
    int two, one = open("one", O_RDONLY);
    expect(read(one, buffer, 10), 10);
    expect(write(one, buffer, 10), -1);
    expect(close(one), 0);
    /* A descriptor that had another file, and one that has none. */
    two = open("two", O_RDONLY);
    expect(two, one);
    expect(read(two, buffer, 20), 20);
    expect(close(two), 0);
    expect(read(two, buffer, 20), -1);
    int pair[2];
    expect(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    expect(send(pair[0], buffer, 30, 0), 30);
    expect(recv(pair[1], buffer, sizeof buffer, 0), 30);
    return 0;
}
