// flags: -O1 -fno-builtin -U_FORTIFY_SOURCE
/* Calls every function that waits a known number of times. */
#include "witness.h"
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <time.h>

NAMED(int, poll_alias, __poll, struct pollfd *, nfds_t, int);
NAMED(int, poll_chk, __poll_chk, struct pollfd *, nfds_t, int, size_t);
NAMED(int, ppoll_chk, __ppoll_chk, struct pollfd *, nfds_t, const struct timespec *,
      const sigset_t *, size_t);
NAMED(int, select_alias, __select, int, fd_set *, fd_set *, fd_set *, struct timeval *);
NAMED(pid_t, wait_alias, __wait, int *);
NAMED(pid_t, waitpid_alias, __waitpid, pid_t, int *, int);
NAMED(int, nanosleep_alias, __nanosleep, const struct timespec *, struct timespec *);

int main(void) {
    int ends[2];
    MUST(!TRY(pipe, pipe(ends)));
    struct pollfd fds[2] = {{.fd = ends[0], .events = POLLIN}, {.fd = ends[1], .events = POLLOUT}};
    struct timespec little = {.tv_nsec = 1000};
    for (int i = 0; i < 3; i++) {
        MUST(TRY(poll, poll(fds, 2, 0)) == 1);
        MUST(TRY(poll, poll(fds, 1, 1)) == 0);
        MUST(TRY(__poll, poll_alias(fds, 2, -1)) == 1);
        MUST(TRY(__poll_chk, poll_chk(fds, 2, -1, sizeof fds)) == 1);
        MUST(TRY(ppoll, ppoll(fds, 2, &little, NULL)) == 1);
        MUST(TRY(__ppoll_chk, ppoll_chk(fds, 1, &little, NULL, sizeof fds)) == 0);
    }
    volatile nfds_t too_many = 1 << 30;
    MUST(TRY(poll, poll(fds, too_many, 0)) < 0 && errno == EINVAL);

    for (int i = 0; i < 4; i++) {
        fd_set reads, writes;
        FD_ZERO(&reads);
        FD_ZERO(&writes);
        FD_SET(ends[0], &reads);
        FD_SET(ends[1], &writes);
        int count = (ends[0] > ends[1] ? ends[0] : ends[1]) + 1;
        struct timeval none = {0};
        MUST(TRY(select, select(count, &reads, &writes, NULL, NULL)) == 1);
        FD_SET(ends[0], &reads);
        MUST(TRY(__select, select_alias(count, &reads, NULL, NULL, &none)) == 0);
        FD_SET(ends[1], &writes);
        MUST(TRY(pselect, pselect(count, NULL, &writes, NULL, &little, NULL)) == 1);
    }
    MUST(TRY(select, select(-1, NULL, NULL, NULL, NULL)) < 0 && errno == EINVAL);
    MUST(TRY(pselect, pselect(-1, NULL, NULL, NULL, NULL, NULL)) < 0 && errno == EINVAL);

    /* An emulator may not support this one (Linux 5.11). */
    int has_pwait2 = bare(SYS_epoll_pwait2, -1, NULL, 0) != -ENOSYS;
#define IS_MISSING (!has_pwait2 && errno == ENOSYS)
    int epoll = (int)TRY(epoll_create1, epoll_create1(0));
    struct epoll_event ready = {.events = EPOLLOUT}, found[4];
    MUST(!TRY(epoll_ctl, epoll_ctl(epoll, EPOLL_CTL_ADD, ends[1], &ready)));
    for (int i = 0; i < 2; i++) {
        MUST(TRY(epoll_wait, epoll_wait(epoll, found, 4, -1)) == 1);
        MUST(TRY(epoll_pwait, epoll_pwait(epoll, found, 4, -1, NULL)) == 1);
        MUST(TRY(epoll_pwait2, epoll_pwait2(epoll, found, 4, &little, NULL)) == 1 || IS_MISSING);
    }
    MUST(TRY(epoll_wait, epoll_wait(ends[0], found, 4, 0)) < 0 && errno == EINVAL);
    MUST(TRY(epoll_pwait, epoll_pwait(987, found, 4, 0, NULL)) < 0 && errno == EBADF);
    MUST(TRY(epoll_pwait2, epoll_pwait2(987, found, 4, &little, NULL)) < 0 && (errno == EBADF || IS_MISSING));

    struct timespec left, wrong = {.tv_nsec = -1};
    MUST(DONE(sleep, 0, sleep(0)) == 0);
    MUST(DONE(sleep, 0, sleep(1)) == 0);
    MUST(!TRY(usleep, usleep(10)));
    MUST(!TRY(nanosleep, nanosleep(&little, &left)));
    MUST(TRY(nanosleep, nanosleep(&wrong, NULL)) < 0 && errno == EINVAL);
    MUST(!TRY(__nanosleep, nanosleep_alias(&little, NULL)));
    MUST(!NUMBER(clock_nanosleep, clock_nanosleep(CLOCK_MONOTONIC, 0, &little, &left)));
    MUST(NUMBER(clock_nanosleep, clock_nanosleep(12345, 0, &little, NULL)) == EINVAL);
    MUST(!TRY(close, close(epoll)));

    int status;
    siginfo_t info;
    MUST(wait(&status) < 0 && errno == ECHILD);
    MUST(TRY(__wait, wait_alias(NULL)) < 0 && errno == ECHILD);
    MUST(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
    MUST(TRY(__waitpid, waitpid_alias(-1, &status, 12345678)) < 0 && errno == EINVAL);
    MUST(TRY(wait3, wait3(&status, 0, NULL)) < 0 && errno == ECHILD);
    MUST(wait4(-1, &status, 0, NULL) < 0 && errno == ECHILD);
    MUST(TRY(waitid, waitid(P_ALL, 0, &info, WEXITED)) < 0 && errno == ECHILD);
    tell();
    return 0;
}
