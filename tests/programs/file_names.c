// flags: -O1 -fno-builtin -D_GNU_SOURCE -pthread
/* Uses files in the way that its argument names. The test knows what the report must say about each name. */
#include <dirent.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <pthread.h>
#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utmp.h>

#define MUST(what)                                                        \
    do {                                                                  \
        if (!(what)) {                                                    \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what); \
            exit(99);                                                     \
        }                                                                 \
    } while (0)

static char bytes[1000];

static int made(const char *name) {
    int fd = open(name, O_RDWR | O_CREAT, 0600);
    MUST(fd >= 0);
    return fd;
}

static void put(int fd, size_t size) { MUST(write(fd, bytes, size) == (ssize_t)size); }

static void duplicated(void) {
    int fd = made("shared");
    put(fd, 1);
    put(dup(fd), 2);
    put(dup2(fd, 40), 4);
    put(dup3(fd, 41, O_CLOEXEC), 8);
    put(fcntl(fd, F_DUPFD, 50), 16);
    close(fd);
    put(50, 32);
    fd = made("other");
    put(dup2(fd, 40), 64);
}

static void renamed(void) {
    int fd = made("before");
    put(fd, 1);
    MUST(!rename("before", "after"));
    put(fd, 2);
    int gone = made("gone");
    MUST(!unlink("gone"));
    put(gone, 4);
}

static void forked(void) {
    int fd = made("inherited");
    put(fd, 1);
    pid_t child = fork();
    if (!child) {
        put(fd, 2);
        put(dup(fd), 4);
        _exit(0);
    }
    MUST(waitpid(child, NULL, 0) == child);
    put(fd, 8);
}

/* The child has the parent's memory, but descriptors of its own. */
static void vforked(void) {
    int fd = made("kept"), other = made("other"), third = made("third");
    MUST(!rename("kept", "renamed") && !rename("other", "other renamed") && !rename("third", "third renamed"));
    put(fd, 1);
    pid_t child = vfork();
    if (!child) {
        dup2(other, fd);
        close(third);
        MUST(!mkdir("sub", 0700) && !chdir("sub"));
        close(open("the child's", O_RDWR | O_CREAT, 0600));
        close_range(3, ~0u, 0);
        execl("/bin/true", "true", NULL);
        _exit(1);
    }
    MUST(waitpid(child, NULL, 0) == child);
    put(fd, 2);
    put(other, 4);
    put(third, 8);
    child = vfork();
    if (!child) {
        close(third);
        execl("/no/such/program", "program", NULL);
        close(other);
        _exit(0);
    }
    MUST(waitpid(child, NULL, 0) == child);
    put(other, 16);
    put(third, 32);
    close(third);
    third = made("third again");
    put(third, 64);
}

static int close_it(void *fd) {
    close((int)(long)fd);
    MUST(open("the child's", O_RDWR | O_CREAT, 0600) == (int)(long)fd);
    return 0;
}

static void cloned(void) {
    static char stack[64 * 1024];
    int fd = made("kept"), unnamed = open(".", O_TMPFILE | O_RDWR, 0600);
    put(fd, 1);
    pid_t child = clone(close_it, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, (void *)(long)fd);
    MUST(child > 0 && waitpid(child, NULL, 0) == child);
    put(fd, 2);
    if (unnamed >= 0) put(unnamed, 4);
    put(memfd_create("one", 0), 8);
    put(memfd_create("other", 0), 16);
    FILE *piped = popen("true", "r");
    int number = fileno(piped);
    while (fgetc(piped) != EOF) continue;
    pclose(piped);
    FILE *stream = tmpfile();
    MUST(fileno(stream) == number);
    put(number, 32);
    int terminal;
    child = forkpty(&terminal, NULL, NULL, NULL);
    if (!child) {
        put(1, 5);
        _exit(0);
    }
    MUST(waitpid(child, NULL, 0) == child);
    int end, log = made("standard output before");
    MUST(!openpty(&terminal, &end, NULL, NULL, NULL));
    child = fork();
    if (!child) {
        MUST(dup2(log, 1) == 1);
        put(1, 3);
        MUST(!login_tty(end));
        put(1, 7);
        _exit(0);
    }
    MUST(waitpid(child, NULL, 0) == child);
}

static void relative(void) {
    MUST(!mkdir("sub", 0700));
    int sub = open("sub", O_RDONLY | O_DIRECTORY), here = open(".", O_RDONLY | O_DIRECTORY);
    int fd = openat(sub, "by descriptor", O_WRONLY | O_CREAT, 0600);
    put(fd, 1);
    MUST(!chdir("sub"));
    put(made("by chdir"), 2);
    put(made("./by dot"), 4);
    MUST(!fchdir(here));
    put(made("back"), 8);
    FILE *stream = fopen("stream", "w");
    MUST(stream && fputs("16 bytes of text", stream) >= 0 && !fclose(stream));
}

/* A thread with a working directory of its own. The two take turns. */
static pthread_barrier_t turns;

static void *elsewhere(void *unused) {
    MUST(!unshare(CLONE_FS) && !chdir("sub"));
    for (int turn = 0; turn < 3; turn++) {
        put(made("inside"), 1);
        pthread_barrier_wait(&turns);
        pthread_barrier_wait(&turns);
    }
    return unused;
}

static void parted(void) {
    pthread_t thread;
    MUST(!mkdir("sub", 0700) && !pthread_barrier_init(&turns, NULL, 2));
    put(made("outside"), 2);
    MUST(!pthread_create(&thread, NULL, elsewhere, NULL));
    for (int turn = 0; turn < 3; turn++) {
        pthread_barrier_wait(&turns);
        put(made("outside"), 2);
        pthread_barrier_wait(&turns);
    }
    MUST(!pthread_join(thread, NULL));
}

static void many(void) {
    for (int i = 0; i < 20000; i++) {
        char name[32];
        snprintf(name, sizeof name, "file-%d", i);
        int fd = made(name);
        put(fd, (size_t)(i % 100));
        MUST(!close(fd));
        MUST(!unlink(name));
    }
}

static void directories(void) {
    MUST(!mkdir("asked", 0700) && !mkdir("started from", 0700) && !mkdir("read", 0700) && !mkdir("entered", 0700) &&
         !mkdir("opened", 0700) && !mkdir("unknown", 0700));
    MUST(close(open("asked", O_RDONLY | O_DIRECTORY)) == 0);
    int from = open("started from", O_RDONLY);
    put(openat(from, "file", O_WRONLY | O_CREAT, 0600), 1);
    DIR *read = fdopendir(open("read", O_RDONLY));
    MUST(read && readdir(read) && !closedir(read));
    MUST(close(open("opened", O_RDONLY)) == 0);
    DIR *opened = opendir("opened");
    MUST(opened && !closedir(opened));
    MUST(close(open("unknown", O_RDONLY)) == 0);
    int unnamed = open(".", O_TMPFILE | O_RDWR, 0600);
    if (unnamed >= 0)
        put(unnamed, 2);
    int here = open("entered", O_RDONLY);
    MUST(!fchdir(here));
}

static void high(void) {
    struct rlimit limit = {4000, 4000};
    MUST(!setrlimit(RLIMIT_NOFILE, &limit));
    int fd = made("high");
    MUST(dup2(fd, 2500) == 2500 && !close(fd));
    put(2500, 1);
    MUST(fcntl(2500, F_DUPFD, 3500) == 3500);
    put(3500, 2);
    MUST(!close_range(2000, 3000, 0));
    put(3500, 4);
    MUST(write(2500, bytes, 100) < 0);
}

static void closed(void) {
    int fd = made("first");
    put(fd, 1);
    MUST(!close_range(3, ~0U, 0));
    MUST(made("second") == fd);
    put(fd, 2);
    closefrom(3);
    MUST(made("third") == fd);
    put(fd, 4);
    /* They are closed when another program is executed, and not before. */
    MUST(!close_range(3, ~0U, CLOSE_RANGE_CLOEXEC));
    put(fd, 8);
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*work)(void);
    } ways[] = {
        {"duplicated", duplicated}, {"renamed", renamed}, {"forked", forked}, {"relative", relative}, {"vforked", vforked},   {"cloned", cloned},
        {"many", many},             {"high", high},       {"closed", closed},     {"directories", directories},
        {"parted", parted},
    };
    MUST(argc == 2);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        if (!strcmp(argv[1], ways[i].name)) {
            ways[i].work();
            return 0;
        }
    return 98;
}
