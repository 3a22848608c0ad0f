// flags: -O1 -pthread
/* What a call was given is gone, or something else, before the call returns: the kernel has copied it. Arguments: which call, and
 * `gone` or `other`. Another thread waits until the call sleeps; then it takes the memory away, or writes something else there, and
 * lets the call go on. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "must.h"

enum { MEMORY = 65536, LARGE = 1 << 20 };

static char *memory;
static int is_other;
static int ends[2];
static size_t waits;
static pid_t caller;
static const char *call;

/* Waits until the caller sleeps in its call. */
static void wait_for_sleep(void) {
    char path[64], text[256];
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)caller);
    for (int sleeps = 0; sleeps < 5;) {
        usleep(2000);
        int fd = open(path, O_RDONLY);
        MUST(fd >= 0);
        ssize_t length = read(fd, text, sizeof text - 1);
        MUST(length > 0 && !close(fd));
        text[length] = 0;
        sleeps = strrchr(text, ')')[2] == 'S' ? sleeps + 1 : 0;
    }
}

static void take_away(void) {
    if (is_other)
        memset(memory, '/', MEMORY - 1);
    else
        MUST(!mprotect(memory, MEMORY, PROT_NONE));
}

static void *other_side(void *unused) {
    static char room[LARGE];
    wait_for_sleep();
    take_away();
    if (!strcmp(call, "readv") || !strcmp(call, "recvmsg")) {
        MUST(write(ends[1], "abcde", 5) == 5);
    } else if (waits) {
        for (size_t left = waits; left > 0;) {
            ssize_t got = read(ends[0], room, left < LARGE ? left : LARGE);
            MUST(got > 0);
            left -= (size_t)got;
        }
    } else if (!strcmp(call, "connect")) {
        /* Room in the queue of the listener. */
        MUST(close(accept(ends[0], NULL, NULL)) == 0);
    } else {
        MUST(close(open("fifo", O_WRONLY)) == 0);
    }
    return unused;
}

int main(int count, char **arguments) {
    MUST(count == 3);
    call = arguments[1];
    is_other = !strcmp(arguments[2], "other");
    memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    MUST(memory != MAP_FAILED);
    caller = (pid_t)syscall(SYS_gettid);
    static char room[LARGE];
    struct iovec *vector = (struct iovec *)memory;
    /* The kernel writes into the message of recvmsg. */
    static struct msghdr stays;
    struct msghdr *message = !strcmp(call, "recvmsg") ? &stays : (struct msghdr *)(memory + 4096);
    vector[0] = (struct iovec){room, 2};
    vector[1] = (struct iovec){room + 2, LARGE - 2};
    *message = (struct msghdr){.msg_iov = vector, .msg_iovlen = 2};
    unlink("fifo");
    MUST(!mkfifo("fifo", 0600));
    strcpy(memory + 8192, "fifo");
    struct sockaddr_un *address = (struct sockaddr_un *)(memory + 12288);
    *address = (struct sockaddr_un){.sun_family = AF_UNIX, .sun_path = "listener"};
    /* A line that a stream copies before it waits for room. */
    char *text = memory + 16384;
    strcpy(text, "a line of text\n");
    int fd = -1;
    if (!strcmp(call, "connect")) {
        unlink("listener");
        ends[0] = socket(AF_UNIX, SOCK_STREAM, 0);
        MUST(!bind(ends[0], (struct sockaddr *)address, sizeof *address) && !listen(ends[0], 0));
        int first = socket(AF_UNIX, SOCK_STREAM, 0);
        MUST(!connect(first, (struct sockaddr *)address, sizeof *address));
        fd = socket(AF_UNIX, SOCK_STREAM, 0);
    } else {
        MUST(!socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    }
    if (!strcmp(call, "writev") || !strcmp(call, "sendmsg"))
        waits = LARGE;
    FILE *stream = NULL;
    if (!strcmp(call, "fputs")) {
        static char buffer[4096];
        stream = fdopen(ends[1], "w");
        MUST(stream && !setvbuf(stream, buffer, _IOLBF, sizeof buffer));
        for (ssize_t sent; (sent = send(ends[1], room, 4096, MSG_DONTWAIT)) > 0;)
            waits += (size_t)sent;
        waits += strlen(text);
    }
    pthread_t other;
    MUST(!pthread_create(&other, NULL, other_side, NULL));
    long result = -1;
    if (!strcmp(call, "readv"))
        result = readv(ends[0], vector, 2);
    else if (!strcmp(call, "recvmsg"))
        result = recvmsg(ends[0], message, 0);
    else if (!strcmp(call, "writev"))
        result = writev(ends[1], vector, 2);
    else if (!strcmp(call, "sendmsg"))
        result = sendmsg(ends[1], message, 0);
    else if (!strcmp(call, "connect"))
        result = connect(fd, (struct sockaddr *)address, sizeof *address);
    else if (!strcmp(call, "open"))
        result = (fd = open(memory + 8192, O_RDONLY)) < 0;
    else if (!strcmp(call, "openat"))
        result = (fd = openat(AT_FDCWD, memory + 8192, O_RDONLY)) < 0;
    else if (!strcmp(call, "syscall"))
        result = (fd = (int)syscall(SYS_openat, AT_FDCWD, memory + 8192, O_RDONLY)) < 0;
    else if (!strcmp(call, "fputs"))
        result = fputs(text, stream) < 0;
    else if (!strcmp(call, "fopen"))
        result = !fopen(memory + 8192, "r");
    MUST(!pthread_join(other, NULL));
    /* A vector that its own call overwrites. */
    static struct iovec parts[2];
    parts[0] = (struct iovec){&parts[0], 32};
    parts[1] = (struct iovec){room, 3};
    int pair[2];
    MUST(!pipe(pair) && write(pair[1], room, 40) == 40);
    printf("%ld %ld\n", result, (long)readv(pair[0], parts, 2));
    return 0;
}
