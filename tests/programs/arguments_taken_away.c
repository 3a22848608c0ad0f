// flags: -O1 -pthread
/* Makes 20,000 calls with arguments in a page that another thread unmaps, or whose file another process shortens, at any moment: for
 * the kernel they are there or not (EFAULT). Arguments: which call, and `unmapped` or `shortened`. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <signal.h>
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

enum { CALLS = 20000, PAGE = 4096, LAST = 99 };

struct arguments {
    char path[256];
    /* It exists, but cannot be executed. */
    char folder[8];
    struct sockaddr_un address;
    struct open_how how;
    struct iovec vector[2];
    struct mmsghdr messages[1];
    siginfo_t info;
    int ends[2];
};

static struct arguments content;
static struct arguments *volatile shared;

/* `at` is where they will be: what they lead to is in the same page. */
static void fill(struct arguments *at) {
    memset(&content, 0, sizeof content);
    strcpy(content.path, "some/file");
    strcpy(content.folder, "/");
    content.address.sun_family = AF_UNIX;
    strcpy(content.address.sun_path, "no/socket");
    content.how.flags = O_RDONLY;
    for (int i = 0; i < 2; i++)
        content.vector[i] = (struct iovec){at->path, 4};
    content.messages[0].msg_hdr.msg_iov = at->vector;
    content.messages[0].msg_hdr.msg_iovlen = 2;
}

static void *unmaps(void *unused) {
    for (;;) {
        void *page = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        MUST(page != MAP_FAILED);
        fill(page);
        memcpy(page, &content, sizeof content);
        shared = page;
        for (volatile int i = 0; i < 200; i++) {
        }
        munmap(page, PAGE);
    }
    return unused;
}

static pid_t shorten(int fd) {
    MUST(ftruncate(fd, PAGE) == 0);
    shared = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    MUST(shared != MAP_FAILED);
    fill(shared);
    pid_t child = fork();
    if (child == 0)
        for (;;) {
            MUST(ftruncate(fd, 0) == 0);
            MUST(ftruncate(fd, PAGE) == 0);
            MUST(pwrite(fd, &content, sizeof content, 0) == sizeof content);
        }
    return child;
}

int main(int count, char **arguments) {
    MUST(count == 3);
    const char *call = arguments[1];
    int null = open("/dev/null", O_RDWR), pair[2];
    MUST(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair) == 0);
    int client = socket(AF_UNIX, SOCK_STREAM, 0);
    pid_t child = fork();
    if (child == 0)
        _exit(3);
    pid_t shortens = 0;
    if (!strcmp(arguments[2], "unmapped")) {
        pthread_t thread;
        MUST(pthread_create(&thread, 0, unmaps, 0) == 0);
        while (!shared) {
        }
    } else
        shortens = shorten(memfd_create("arguments", 0));
    /* What the calls open comes after these. */
    while (dup(null) < LAST) {
    }
    for (int i = 0; i < CALLS; i++) {
        struct arguments *at = shared;
        int made = -1, both = -1;
        if (!strcmp(call, "open"))
            made = open(at->path, O_RDONLY);
        else if (!strcmp(call, "memfd_create"))
            made = memfd_create(at->path, 0);
        else if (!strcmp(call, "syscall"))
            made = syscall(SYS_openat2, AT_FDCWD, at->path, &at->how, sizeof at->how);
        else if (!strcmp(call, "execve"))
            execve(at->folder, arguments, environ);
        else if (!strcmp(call, "connect"))
            connect(client, (void *)&at->address, sizeof at->address);
        else if (!strcmp(call, "writev"))
            writev(null, at->vector, 2);
        else if (!strcmp(call, "sendmsg"))
            sendmsg(pair[0], &at->messages[0].msg_hdr, 0);
        else if (!strcmp(call, "sendmmsg"))
            sendmmsg(pair[0], at->messages, 1, 0);
        else if (!strcmp(call, "waitid"))
            waitid(P_PID, child, &at->info, WEXITED | WNOWAIT);
        else if (!strcmp(call, "pipe"))
            both = pipe(at->ends);
        else if (!strcmp(call, "socketpair"))
            both = socketpair(AF_UNIX, SOCK_DGRAM, 0, at->ends);
        else
            MUST(!"known");
        if (made >= 0)
            close(made);
        /* Their numbers may be gone. */
        if (both == 0)
            close_range(LAST + 1, ~0U, 0);
        if (!strncmp(call, "sendm", 5)) {
            char drop[8];
            recv(pair[1], drop, sizeof drop, 0);
        }
    }
    if (shortens)
        MUST(kill(shortens, SIGKILL) == 0 && waitpid(shortens, 0, 0) == shortens);
    return 0;
}
