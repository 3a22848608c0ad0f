// flags: -O2 -Iinclude -pthread
// A runtime may keep what it knows of a descriptor from one wait to the next. Weir informs it before a descriptor
// that was waited for is closed, once, in whatever way it is closed. A close in a child process does not count.
// Prints the calls that the runtime got.
#define TOLD told
#include "coroutines.h"
#include <sys/stat.h>
#include <sys/wait.h>

static int times, which;
static ino_t inode;

static void told(int fd) {
    struct stat file;
    times++;
    which = fd;
    inode = fstat(fd, &file) == 0 ? file.st_ino : 0;
}

// Prints how many calls came since the last time; "right" if they were for this descriptor while it still had its old
// file.
static void say(const char *of, int fd, ino_t was) {
    printf("%s: %d%s\n", of, times, times == 0 ? "" : which == fd && (was == 0 || inode == was) ? " right" : " wrong");
    fflush(stdout);
    times = 0;
}

static void write_later(void *end) { assert(write(*(int *)end, "x", 1) == 1); }

// A pair of sockets; a coroutine has waited for the first.
static ino_t awaited(int ends[2]) {
    assert(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    go("writer", write_later, &ends[1]);
    char byte;
    assert(read(ends[0], &byte, 1) == 1);
    struct stat file;
    assert(fstat(ends[0], &file) == 0);
    return file.st_ino;
}

static void in_child(const char *what, pid_t (*bear)(void), int fd) {
    pid_t child = bear();
    if (child == 0) {
        close(fd);
        _exit(times);
    }
    int status;
    assert(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
    printf("told in a child of %s: %d\n", what, WEXITSTATUS(status));
    fflush(stdout);
}

static void closes(void *unused) {
    int ends[2], never[2];
    assert(socketpair(AF_UNIX, SOCK_STREAM, 0, never) == 0);
    close(never[0]);
    close(never[1]);
    say("never waited for", -1, 0);

    ino_t was = awaited(ends);
    say("open", -1, 0);
    close(ends[0]);
    say("close", ends[0], was);
    close(ends[0]);
    say("close again", -1, 0);

    was = awaited(ends);
    dup2(-1, ends[0]);
    dup2(ends[0], ends[0]);
    say("dup2 that fails or does nothing", -1, 0);
    dup3(ends[1], ends[0], 0x1234);
    close_range(ends[0], ends[0], 0x100);
    close_range(ends[0], 0, 0);
    say("flags that there are not", -1, 0);
    assert(dup2(ends[1], ends[0]) == ends[0]);
    say("dup2", ends[0], was);

    was = awaited(ends);
    close_range(ends[0], ends[1], CLOSE_RANGE_CLOEXEC);
    say("close_range that only marks", -1, 0);
    close_range(ends[0], ends[1], 0);
    say("close_range", ends[0], was);

    was = awaited(ends);
    FILE *stream = fdopen(ends[0], "r");
    fclose(stream);
    say("fclose", ends[0], was);

    FILE *piped = popen("sleep 0.1; echo", "r");
    char newline;
    assert(read(fileno(piped), &newline, 1) == 1);
    int number = fileno(piped);
    say("popen", -1, 0);
    pclose(piped);
    say("pclose", number, 0);

    was = awaited(ends);
    in_child("fork", fork, ends[0]);
    in_child("vfork", vfork, ends[0]);
    say("children", -1, 0);
    close(ends[0]);
    say("close after that", ends[0], was);

    int one[2], other[2];
    awaited(one);
    awaited(other);
    go("writer", write_later, &one[1]);
    struct pollfd both[] = {{one[0], POLLIN, 0}, {other[0], POLLIN, 0}};
    assert(poll(both, 2, -1) == 1);
    // The number of Weir's own epoll set is not known here.
    say("poll", which, 0);
}

int main(void) {
    go("closes", closes, NULL);
    run();
    return 0;
}
