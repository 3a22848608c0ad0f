// flags: -O1 -fno-builtin -U_FORTIFY_SOURCE -D_LARGEFILE64_SOURCE
/* Calls every function that makes, copies or controls descriptors a known number of times. */
#include "witness.h"
#include <aio.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <utmp.h>

NAMED(int, fcntl_plain, fcntl, int, int, ...);
NAMED(int, fcntl_alias, __fcntl, int, int, ...);
NAMED(int, dup2_alias, __dup2, int, int);
NAMED(int, pipe_alias, __pipe, int *);
NAMED(int, open_alias, __open, const char *, int, ...);
NAMED(int, open64_alias, __open64, const char *, int, ...);
NAMED(int, close_alias, __close, int);
NAMED(ssize_t, read_alias, __read, int, void *, size_t);
NAMED(ssize_t, write_alias, __write, int, const void *, size_t);
NAMED(ssize_t, pread64_alias, __pread64, int, void *, size_t, off64_t);
NAMED(ssize_t, pwrite64_alias, __pwrite64, int, const void *, size_t, off64_t);
NAMED(off_t, lseek_alias, __lseek, int, off_t, int);

static char buffer[1 << 16];
static const int bad = 987;

#define CLOSE(fd) MUST(!TRY(close, close(fd)))

static void aliases(void) {
    int file = (int)TRY(__open, open_alias("alias", O_RDWR | O_CREAT, 0600));
    MUST(file >= 0);
    for (int i = 0; i < 3; i++)
        MUST(MOVE(__write, 1000, write_alias(file, buffer, 1000)) == 1000);
    MUST(MOVE(__pwrite64, 500, pwrite64_alias(file, buffer, 500, 2800)) == 500);
    MUST(TRY(__lseek, lseek_alias(file, 0, SEEK_SET)) == 0);
    MUST(MOVE(__read, 5000, read_alias(file, buffer, 5000)) == 3300);
    MUST(MOVE(__pread64, 5000, pread64_alias(file, buffer, 5000, 3000)) == 300);
    MUST(!TRY(__close, close_alias(file)));
    file = (int)TRY(__open64, open64_alias("alias", O_RDONLY));
    MUST(file >= 0);
    MUST(MOVE(__write, 10, write_alias(file, buffer, 10)) < 0 && errno == EBADF);
    MUST(!TRY(__close, close_alias(file)));
    MUST(TRY(__close, close_alias(file)) < 0);
    MUST(MOVE(__read, 1, read_alias(bad, buffer, 1)) < 0);
}

static void copies(void) {
    int one = (int)TRY(dup, dup(1));
    MUST(one > 2);
    MUST(TRY(dup2, dup2(one, 300)) == 300);
    MUST(TRY(__dup2, dup2_alias(one, 301)) == 301);
    MUST(TRY(dup2, dup2(one, one)) == one);
    MUST(TRY(dup3, dup3(one, 302, O_CLOEXEC)) == 302);
    MUST(TRY(fcntl, fcntl_plain(one, F_DUPFD, 310)) == 310);
    MUST(TRY(__fcntl, fcntl_alias(one, F_DUPFD_CLOEXEC, 311)) == 311);
    MUST(TRY(fcntl64, fcntl64(311, F_GETFD)) == FD_CLOEXEC);
    MUST(TRY(fcntl64, fcntl64(one, F_SETFL, O_APPEND)) == 0);
    MUST(TRY(dup, dup(bad)) < 0 && errno == EBADF);
    MUST(TRY(dup2, dup2(bad, 5)) < 0 && errno == EBADF);
    MUST(TRY(dup3, dup3(one, one, 0)) < 0 && errno == EINVAL);
    MUST(TRY(login_tty, login_tty(bad)) < 0 && errno == EBADF);
    MUST(TRY(fcntl, fcntl_plain(bad, F_GETFD)) < 0 && errno == EBADF);
    MUST(TRY(fcntl, fcntl_plain(one, 9999, 1)) < 0 && errno == EINVAL);
    struct winsize size;
    MUST(TRY(ioctl, ioctl(one, TIOCGWINSZ, &size)) < 0 && errno == ENOTTY);
    MUST(!TRY(close_range, close_range(300, 311, 0)));
    MUST(TRY(close, close(310)) < 0 && errno == EBADF);
    MUST(TRY(close_range, close_range(5, 4, 0)) < 0 && errno == EINVAL);
    CLOSE(one);
}

static void move_between(int *from, int *to) {
    int file = (int)TRY(open, open("moved", O_RDWR | O_CREAT | O_TRUNC, 0600));
    int other = (int)TRY(open64, open64("copied", O_RDWR | O_CREAT | O_TRUNC, 0600));
    MUST(file >= 0 && other >= 0);
    MUST(MOVE(write, 10000, write(file, buffer, 10000)) == 10000);
    loff_t at = 0, to_at = 0;
    MUST(MOVE(copy_file_range, 4000, copy_file_range(file, &at, other, &to_at, 4000, 0)) == 4000);
    MUST(MOVE(copy_file_range, 10, copy_file_range(bad, &at, other, &to_at, 10, 0)) < 0);
    off_t begin = 0;
    off64_t begin64 = 0;
    MUST(MOVE(sendfile, 100, sendfile(other, file, &begin, 100)) == 100);
    MUST(MOVE(sendfile64, 20000, sendfile64(other, file, &begin64, 20000)) == 10000);
    MUST(MOVE(sendfile64, 20000, sendfile64(bad, file, &begin64, 20000)) < 0);
    loff_t start = 0;
    MUST(MOVE(splice, 2000, splice(file, &start, from[1], NULL, 2000, 0)) == 2000);
    MUST(MOVE(tee, 5000, tee(from[0], to[1], 5000, 0)) == 2000);
    MUST(MOVE(splice, 3000, splice(from[0], NULL, other, NULL, 3000, 0)) == 2000);
    MUST(MOVE(splice, 10, splice(bad, NULL, other, NULL, 10, 0)) < 0);
    MUST(MOVE(tee, 10, tee(bad, to[1], 10, 0)) < 0);
    struct iovec parts[2] = {{buffer, 100}, {buffer, 23}};
    MUST(MOVE(vmsplice, 123, vmsplice(to[1], parts, 2, 0)) == 123);
    MUST(MOVE(vmsplice, 0, vmsplice(bad, parts, 2, 0)) < 0 && errno == EBADF);
    MUST(MOVE(read, 5000, read(to[0], buffer, 5000)) == 2123);

    MUST(!TRY(ftruncate, ftruncate(file, 100)) && !TRY(ftruncate64, ftruncate64(file, 200)));
    MUST(TRY(ftruncate, ftruncate(file, -1)) < 0 && errno == EINVAL);
    MUST(!TRY(fallocate, fallocate(file, 0, 0, 4096)));
    MUST(!TRY(fallocate64, fallocate64(file, 0, 0, 8192)));
    MUST(TRY(fallocate, fallocate(bad, 0, 0, 1)) < 0 && errno == EBADF);
    MUST(!NUMBER(posix_fallocate, posix_fallocate(file, 0, 9000)));
    MUST(!NUMBER(posix_fallocate64, posix_fallocate64(file, 0, 9001)));
    MUST(NUMBER(posix_fallocate, posix_fallocate(bad, 0, 10)) == EBADF);
    MUST(!NUMBER(posix_fadvise, posix_fadvise(file, 0, 0, POSIX_FADV_SEQUENTIAL)));
    MUST(!NUMBER(posix_fadvise64, posix_fadvise64(file, 0, 0, POSIX_FADV_DONTNEED)));
    MUST(NUMBER(posix_fadvise, posix_fadvise(bad, 0, 0, 0)) == EBADF);
    MUST(!TRY(sync_file_range, sync_file_range(file, 0, 100, SYNC_FILE_RANGE_WRITE)));
    MUST(TRY(sync_file_range, sync_file_range(bad, 0, 1, 0)) < 0 && errno == EBADF);
    MUST(!TRY(syncfs, syncfs(file)) && TRY(syncfs, syncfs(bad)) < 0);
    CLOSE(file);
    CLOSE(other);
}

#define TEMPORARY(name, template, CALL)      \
    do {                                     \
        char path[] = template;              \
        int fd = (int)TRY(name, CALL);       \
        MUST(fd >= 0 && !strstr(path, "XXX")); \
        CLOSE(fd);                           \
    } while (0)

static void temporaries(void) {
    TEMPORARY(mkstemp, "a-XXXXXX", mkstemp(path));
    TEMPORARY(mkstemp64, "b-XXXXXX", mkstemp64(path));
    TEMPORARY(mkostemp, "c-XXXXXX", mkostemp(path, O_CLOEXEC));
    TEMPORARY(mkostemp64, "d-XXXXXX", mkostemp64(path, O_APPEND));
    TEMPORARY(mkstemps, "e-XXXXXX.txt", mkstemps(path, 4));
    TEMPORARY(mkstemps64, "f-XXXXXX.txt", mkstemps64(path, 4));
    TEMPORARY(mkostemps, "g-XXXXXX.c", mkostemps(path, 2, 0));
    TEMPORARY(mkostemps64, "h-XXXXXX.c", mkostemps64(path, 2, O_CLOEXEC));
    char none[] = "no template";
    MUST(TRY(mkstemp, mkstemp(none)) < 0 && errno == EINVAL);
}

int main(void) {
    aliases();
    copies();
    int one[2], two[2], three[2];
    MUST(!TRY(pipe, pipe(one)) && !TRY(__pipe, pipe_alias(two)));
    MUST(!TRY(pipe2, pipe2(three, O_CLOEXEC | O_NONBLOCK)));
    MUST(TRY(pipe2, pipe2(three, -1)) < 0 && errno == EINVAL);
    move_between(one, two);
    temporaries();

    int event = (int)TRY(eventfd, eventfd(5, EFD_NONBLOCK));
    eventfd_t value;
    MUST(TRY(eventfd, eventfd(0, -1)) < 0 && errno == EINVAL);
    PLUS(tallies[DOES_eventfd_read].moved, 8);
    MUST(!TRY(eventfd_read, eventfd_read(event, &value)) && value == 5);
    MUST(TRY(eventfd_read, eventfd_read(event, &value)) < 0 && errno == EAGAIN);
    PLUS(tallies[DOES_eventfd_write].moved, 16);
    MUST(!TRY(eventfd_write, eventfd_write(event, 3)));
    MUST(!TRY(eventfd_write, eventfd_write(event, 4)));
    MUST(TRY(eventfd_write, eventfd_write(bad, 4)) < 0 && errno == EBADF);

    sigset_t set;
    sigemptyset(&set);
    int made[] = {
        event,
        (int)TRY(signalfd, signalfd(-1, &set, SFD_CLOEXEC)),
        (int)TRY(timerfd_create, timerfd_create(CLOCK_MONOTONIC, 0)),
        (int)TRY(inotify_init, inotify_init()),
        (int)TRY(inotify_init1, inotify_init1(IN_CLOEXEC)),
        (int)TRY(memfd_create, memfd_create("memory", MFD_CLOEXEC)),
        (int)TRY(epoll_create, epoll_create(1)),
        (int)TRY(epoll_create1, epoll_create1(EPOLL_CLOEXEC)),
    };
    struct epoll_event ready = {.events = EPOLLIN};
    MUST(!TRY(epoll_ctl, epoll_ctl(made[7], EPOLL_CTL_ADD, event, &ready)));
    MUST(TRY(epoll_ctl, epoll_ctl(made[7], EPOLL_CTL_ADD, event, &ready)) < 0 && errno == EEXIST);
    for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
        MUST(made[i] >= 0);
        CLOSE(made[i]);
    }
    MUST(TRY(signalfd, signalfd(bad, &set, 0)) < 0 && errno == EBADF);
    MUST(TRY(timerfd_create, timerfd_create(12345, 0)) < 0 && errno == EINVAL);
    MUST(TRY(inotify_init1, inotify_init1(-1)) < 0 && errno == EINVAL);
    MUST(TRY(memfd_create, memfd_create(NULL, 0)) < 0 && errno == EFAULT);
    MUST(TRY(epoll_create, epoll_create(0)) < 0 && errno == EINVAL);
    MUST(TRY(epoll_create1, epoll_create1(-1)) < 0 && errno == EINVAL);

    MUST(TRY(prctl, prctl(PR_SET_NAME, "descriptors", 0, 0, 0)) == 0);
    MUST(TRY(prctl, prctl(12345, 1, 2, 3, 4)) < 0 && errno == EINVAL);
    MUST(DONE(syscall, 0, syscall(SYS_getpid)) == bare(SYS_getpid, 0, NULL, 0));
    MUST(DONE(syscall, 0, syscall(SYS_mmap, NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) > 0);

    DONE(closefrom, 0, (closefrom(3), 0));
    MUST(TRY(close, close(one[0])) < 0 && errno == EBADF);
    tell();
    return 0;
}
