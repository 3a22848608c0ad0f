/* Step 6: a read that lets other work run while it waits, with the parts that libco's has, and their faults. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "../../common/c/next.h"

static struct next next_read = {.name = "read"};
static struct next next_socket = {.name = "socket"};
static struct next next_close = {.name = "close"};

/* The scheduler's wait, for a descriptor, events and milliseconds: what happened, 0, or an errno, negated. */
typedef int wait_fn(int fd, short events, int timeout_ms);
/* How long a read waits at most. libco takes a second; here the reader of the example has to wait for it. */
enum { PLACES = 1024, PATIENCE_MS = 200 };
/* Of which descriptors reads are to wait. What has no place here is not known. */
static atomic_bool table[PLACES];
/* How the coroutine that runs lets others run. NULL: its calls are to go straight through. */
static _Thread_local wait_fn *wait_by;

/* Turns the hooks on for the coroutine that runs, or off. */
void yield_by(wait_fn *wait)
{
    wait_by = wait;
}

static bool has_place(int fd)
{
    return fd >= 0 && fd < PLACES;
}

ssize_t read(int fd, void *buffer, size_t size)
{
    ssize_t (*real)(int, void *, size_t);

    /* The first call asks dlsym, wherever it is made. */
    *(void **)&real = next_address(&next_read);
    if (wait_by != NULL && has_place(fd) && table[fd]) {
        /* Ready, too late, or a signal: the call will show which. */
        wait_by(fd, POLLIN, PATIENCE_MS);
    }
    return real(fd, buffer, size);
}

int socket(int domain, int kind, int protocol)
{
    int (*real)(int, int, int);

    *(void **)&real = next_address(&next_socket);
    int fd = real(domain, kind, protocol);
    if (wait_by != NULL && has_place(fd)) {
        table[fd] = !(kind & SOCK_NONBLOCK);
        /* From here on the real call never blocks, and the program is not to know. */
        fcntl(fd, F_SETFL, O_NONBLOCK);
    }
    return fd;
}

int close(int fd)
{
    int (*real)(int);

    *(void **)&real = next_address(&next_close);
    if (wait_by != NULL && has_place(fd))
        table[fd] = false;
    return real(fd);
}
