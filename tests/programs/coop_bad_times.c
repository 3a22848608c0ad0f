// flags: -O1 -Iinclude -Wno-unused-function -pthread
// Calls with a time that cannot be read: the kernel says EFAULT. In a coroutine with an argument, else in a thread.
#include "coroutines.h"
#include <sys/epoll.h>
#include <sys/mman.h>

static void say(const char *what, long result) {
    printf("%s %ld %s\n", what, result, result < 0 ? strerrorname_np(errno) : "-");
}

static void checks(void *unused) {
    (void)unused;
    char *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert(page != MAP_FAILED);
    struct timespec *times[] = {(void *)1, (void *)-1, (void *)0x8000000000000000, (void *)page};
    int ends[2], epoll = epoll_create1(0);
    assert(epoll >= 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        struct epoll_event event;
        char byte;
        struct iovec part = {&byte, 1};
        struct mmsghdr message = {.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}};
        say("epoll_pwait2", epoll_pwait2(epoll, &event, 1, times[i], NULL));
        say("recvmmsg", recvmmsg(ends[0], &message, 1, 0, times[i]));
        say("nanosleep", nanosleep(times[i], NULL));
        errno = clock_nanosleep(CLOCK_MONOTONIC, 0, times[i], NULL);
        say("clock_nanosleep", -1);
    }
}

int main(int count, char **arguments) {
    (void)arguments;
    if (count > 1) {
        go("checks", checks, NULL);
        run();
    } else
        checks(NULL);
    return 0;
}
