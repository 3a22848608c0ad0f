// flags: -O1 -fno-builtin -U_FORTIFY_SOURCE -D_LARGEFILE64_SOURCE
/* Calls every file function a known number of times, with known sizes and errors. */
#include "witness.h"

/* The functions that a fortified program calls instead of those with plain names. */
extern int __open_2(const char *, int);
extern int __open64_2(const char *, int);
extern int __openat_2(int, const char *, int);
extern int __openat64_2(int, const char *, int);
extern ssize_t __read_chk(int, void *, size_t, size_t);
extern ssize_t __pread_chk(int, void *, size_t, off_t, size_t);
extern ssize_t __pread64_chk(int, void *, size_t, off64_t, size_t);
extern ssize_t preadv64v2(int, const struct iovec *, int, off64_t, int);
extern ssize_t pwritev64v2(int, const struct iovec *, int, off64_t, int);

static char buffer[1 << 16];
static const int bad = 987;

/* Makes `good_times` calls on `fd`, then `bad_times` on a descriptor that is not open. In the latter, the bytes
 * that a vector requests count as 0: the kernel did not read the vector, so it may not be readable. */
#define MOVES(name, good_times, bad_times, size, CALL)      \
    do {                                                    \
        for (int i = 0; i < (good_times); i++) {            \
            int fd = file;                                  \
            (void)fd;                                       \
            MUST(MOVE(name, size, CALL) >= 0);              \
        }                                                   \
        for (int i = 0; i < (bad_times); i++) {             \
            int fd = bad;                                   \
            MUST(MOVE(name, size, CALL) < 0 && errno == EBADF); \
        }                                                   \
    } while (0)

#define OPENS(name, times, CALL, FAILING)                       \
    do {                                                        \
        for (int i = 0; i < (times); i++) {                     \
            int fd = (int)TRY(name, CALL);                      \
            MUST(fd >= 0);                                      \
            MUST(!TRY(close, close(fd)));                       \
        }                                                       \
        MUST(TRY(name, FAILING) < 0 && errno == ENOENT);        \
    } while (0)

int main(void) {
    const int create = O_RDWR | O_CREAT | O_TRUNC;
    const char *none = "no/such/file";
    OPENS(open, 3, open("data", create, 0640), open(none, O_RDONLY));
    OPENS(open64, 4, open64("data", create, 0640), open64(none, O_RDONLY));
    OPENS(__open_2, 5, __open_2("data", O_RDONLY), __open_2(none, O_RDONLY));
    OPENS(__open64_2, 6, __open64_2("data", O_RDONLY), __open64_2(none, O_RDONLY));
    OPENS(openat, 7, openat(AT_FDCWD, "data", create, 0640), openat(AT_FDCWD, none, O_RDONLY));
    OPENS(openat64, 8, openat64(AT_FDCWD, "data", O_RDWR), openat64(AT_FDCWD, none, O_RDONLY));
    OPENS(__openat_2, 9, __openat_2(AT_FDCWD, "data", O_RDONLY), __openat_2(AT_FDCWD, none, O_RDONLY));
    OPENS(__openat64_2, 10, __openat64_2(AT_FDCWD, "data", O_RDONLY),
          __openat64_2(AT_FDCWD, none, O_RDONLY));
    OPENS(creat, 11, creat("created", 0600), creat(none, 0600));
    OPENS(creat64, 12, creat64("created", 0600), creat64(none, 0600));
    MUST(TRY(open, open("data", O_WRONLY | O_CREAT | O_EXCL, 0600)) < 0 && errno == EEXIST);
    MUST(TRY(open, open(".", O_WRONLY)) < 0 && errno == EISDIR);
    MUST(TRY(close, close(bad)) < 0 && errno == EBADF);
    MUST(TRY(close, close(-1)) < 0 && errno == EBADF);

    int file = (int)TRY(open, open("data", create, 0640));
    MUST(file >= 0);
    struct iovec parts[3] = {{buffer, 100}, {buffer + 100, 0}, {buffer + 200, 57}};

    MOVES(write, 30, 2, (size_t)i * 100, write(fd, buffer, (size_t)i * 100));
    MOVES(pwrite, 5, 1, 1000, pwrite(fd, buffer, 1000, i * 1000));
    MOVES(pwrite64, 6, 2, 1001, pwrite64(fd, buffer, 1001, i * 1000));
    MOVES(writev, 7, 1, fd == bad ? 0 : 157, writev(fd, parts, 3));
    MOVES(pwritev, 8, 1, fd == bad ? 0 : 157, pwritev(fd, parts, 3, i));
    MOVES(pwritev64, 9, 1, fd == bad ? 0 : 100, pwritev64(fd, parts, 2, i));
    MOVES(pwritev2, 10, 1, fd == bad ? 0 : 157, pwritev2(fd, parts, 3, i, 0));
    MOVES(pwritev64v2, 11, 1, fd == bad ? 0 : 157, pwritev64v2(fd, parts, 3, i, 0));
    MUST(MOVE(write, 10, write(file, (void *)1, 10)) < 0 && errno == EFAULT);

    for (int i = 0; i < 4; i++)
        MUST(TRY(lseek, lseek(file, 0, SEEK_SET)) == 0);
    for (int i = 0; i < 5; i++)
        MUST(TRY(lseek64, lseek64(file, 0, SEEK_SET)) == 0);
    MUST(TRY(lseek, lseek(file, -5, SEEK_SET)) < 0 && errno == EINVAL);
    MUST(TRY(lseek64, lseek64(bad, 0, SEEK_SET)) < 0 && errno == EBADF);
    MUST(!TRY(fsync, fsync(file)));
    MUST(TRY(fsync, fsync(bad)) < 0);
    MUST(!TRY(fdatasync, fdatasync(file)));
    MUST(!TRY(fdatasync, fdatasync(file)));
    MUST(TRY(fdatasync, fdatasync(bad)) < 0);

    /* The last reads are at the end of the file, and move fewer bytes than requested, or none. */
    MOVES(read, 40, 3, 4096, read(fd, buffer, 4096));
    MOVES(__read_chk, 4, 1, 50, __read_chk(fd, buffer, 50, sizeof buffer));
    MOVES(pread, 5, 1, 60000, pread(fd, buffer, 60000, i));
    MOVES(pread64, 6, 1, 60000, pread64(fd, buffer, 60000, i));
    MOVES(__pread_chk, 7, 1, 300, __pread_chk(fd, buffer, 300, i, sizeof buffer));
    MOVES(__pread64_chk, 8, 1, 301, __pread64_chk(fd, buffer, 301, i, sizeof buffer));
    MUST(TRY(lseek, lseek(file, 0, SEEK_SET)) == 0);
    MOVES(readv, 9, 1, fd == bad ? 0 : 157, readv(fd, parts, 3));
    MOVES(preadv, 10, 1, fd == bad ? 0 : 157, preadv(fd, parts, 3, i));
    MOVES(preadv64, 11, 1, fd == bad ? 0 : 157, preadv64(fd, parts, 3, i));
    MOVES(preadv2, 12, 1, fd == bad ? 0 : 157, preadv2(fd, parts, 3, i, 0));
    MOVES(preadv64v2, 13, 1, fd == bad ? 0 : 157, preadv64v2(fd, parts, 3, i, 0));

    int pipes[2];
    MUST(!TRY(pipe2, pipe2(pipes, O_NONBLOCK)));
    for (int i = 0; i < 6; i++)
        MUST(MOVE(read, 20, read(pipes[0], buffer, 20)) < 0 && errno == EAGAIN);
    MUST(MOVE(write, 5, write(pipes[1], "abcde", 5)) == 5);
    MUST(MOVE(read, 20, read(pipes[0], buffer, 20)) == 5);
    MUST(TRY(lseek, lseek(pipes[0], 0, SEEK_CUR)) < 0 && errno == ESPIPE);
    MUST(!TRY(close, close(pipes[0])));
    MUST(!TRY(close, close(pipes[1])));
    MUST(!TRY(close, close(file)));
    tell();
    return 0;
}
