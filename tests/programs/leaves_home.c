// flags: -O1 -fno-builtin -pthread
/* Forks children that go where they can make no region. They change to the root directory of the second argument,
 * or, if the first argument is "user" or "quietly", to another user. They have threads, and fork children of their
 * own. With "orphan", one child outlives its parent. */
#define _GNU_SOURCE
#include "witness.h"
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>
#include <time.h>

static int null;

static void *do_something(void *unused) {
    (void)unused;
    for (int i = 0; i < 50; i++) MUST(write(null, "sixteen bytes...", 16) == 16);
    return NULL;
}

static void await(pid_t child, int expected) {
    int status;
    MUST(child > 0 && waitpid(child, &status, 0) == child);
    MUST(WIFEXITED(status) && WEXITSTATUS(status) == expected);
}

static void leave(const char *way, const char *to) {
    if (!strcmp(way, "user")) {
        MUST(!setgroups(0, NULL) && !setgid(65534) && !setuid(65534));
        return;
    }
    /* By calls that Weir does not see. */
    if (!strcmp(way, "quietly")) {
        MUST(!setegid(65534) && !seteuid(65534));
        return;
    }
    if (geteuid()) MUST(!unshare(CLONE_NEWUSER));
    MUST(!chroot(to) && !chdir("/"));
}

/* Waits without a call that Weir sees. */
static void dawdle(void) {
    struct timespec begun, now;
    MUST(!clock_gettime(CLOCK_MONOTONIC, &begun));
    do MUST(!clock_gettime(CLOCK_MONOTONIC, &now));
    while ((now.tv_sec - begun.tv_sec) * 1000 + (now.tv_nsec - begun.tv_nsec) / 1000000 < 300);
}

/* Makes a child that counts in its parent's region. The parent ends before the child makes its first call. */
static void leave_an_orphan(void) {
    int ends[2];
    MUST(!pipe(ends));
    pid_t child = fork();
    if (!child) {
        MUST(!close(ends[0]));
        if (!fork()) {
            leave("quietly", NULL);
            dawdle();
            do_something(NULL);
            _exit(0);
        }
        _exit(4);
    }
    await(child, 4);
    MUST(!close(ends[1]));
    char nothing;
    MUST(read(ends[0], &nothing, 1) == 0);
}

int main(int argc, char **argv) {
    MUST(argc == 3);
    MUST((null = open("/dev/null", O_WRONLY)) >= 0);
    if (!strcmp(argv[1], "orphan")) {
        leave_an_orphan();
        return 7;
    }
    for (int i = 0; i < 4; i++) {
        pid_t child = fork();
        if (!child) {
            leave(argv[1], argv[2]);
            do_something(NULL);
            pthread_t threads[3];
            for (int t = 0; t < 3; t++) MUST(!pthread_create(&threads[t], NULL, do_something, NULL));
            for (int t = 0; t < 3; t++) MUST(!pthread_join(threads[t], NULL));
            pid_t grandchild = fork();
            if (!grandchild) {
                do_something(NULL);
                _exit(6);
            }
            await(grandchild, 6);
            execl("/no/such/program", "program", NULL);
            exit(5);
        }
        /* The parent takes slots of its own meanwhile. */
        pthread_t thread;
        MUST(!pthread_create(&thread, NULL, do_something, NULL));
        MUST(!pthread_join(thread, NULL));
        await(child, 5);
    }
    return 7;
}
