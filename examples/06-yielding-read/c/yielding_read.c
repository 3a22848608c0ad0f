/* Step 6: a read that lets other work run while it waits, with the parts that libco's has, and their faults. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "../../common/c/next.h"

/* The scheduler's wait, for a descriptor, events and milliseconds: what happened, 0, or an errno, negated. */
typedef int wait_fn(int fd, short events, int timeout_ms);

static struct next next_read = {.name = "read"};
static struct next next_close = {.name = "close"};
static struct next next_socketpair = {.name = "socketpair"};

/* What is known of a number: nothing, or a socket, and whether its reads are to wait. */
enum { UNKNOWN, WAITS, NEVER_WAITS };
static _Atomic unsigned char table[1024];

/* How long a read waits at most. libco takes a second; here the reader of the example has to wait for it. */
enum { PATIENCE_MS = 200 };

/* How the coroutine that runs lets others run. NULL: its calls are to go straight through. */
static _Thread_local wait_fn *wait_by;

/* Turns the hooks on for the coroutine that runs, or off. */
void yield_by(wait_fn *wait)
{
    wait_by = wait;
}

static bool has_place(int fd)
{
    return fd >= 0 && fd < (int)(sizeof table / sizeof table[0]);
}

ssize_t read(int fd, void *buffer, size_t size)
{
    ssize_t (*real)(int, void *, size_t);

    /* The first call asks dlsym, wherever it is made. */
    *(void **)&real = next_address(&next_read);
    if (wait_by == NULL)
        return real(fd, buffer, size);
    if (has_place(fd) && table[fd] == WAITS) {
        /* Ready, too late, or a signal: whatever came of it, the call will tell. */
        wait_by(fd, POLLIN, PATIENCE_MS);
    }
    return real(fd, buffer, size);
}

int socketpair(int domain, int kind, int protocol, int pair[2])
{
    int (*real)(int, int, int, int *);

    *(void **)&real = next_address(&next_socketpair);
    int result = real(domain, kind, protocol, pair);
    for (int i = 0; result == 0 && wait_by != NULL && i < 2; i++) {
        if (has_place(pair[i]))
            table[pair[i]] = kind & SOCK_NONBLOCK ? NEVER_WAITS : WAITS;
        /* From here on the real call never blocks, and the program is not to know. */
        fcntl(pair[i], F_SETFL, fcntl(pair[i], F_GETFL) | O_NONBLOCK);
    }
    return result;
}

int close(int fd)
{
    int (*real)(int);

    if (wait_by != NULL && has_place(fd))
        table[fd] = UNKNOWN;
    *(void **)&real = next_address(&next_close);
    return real(fd);
}
