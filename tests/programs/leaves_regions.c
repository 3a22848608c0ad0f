// flags: -pthread
/* Ends in ways that no hook sees, after pwrite calls:
   "again N": N children with the same process id, each killed or, every third, gone by itself; all within a few ticks. The child i
   makes i + 1 calls. Needs root.
   "replaced N": replaces itself N times by a system call; each image makes 77 calls. The last one ends by a signal.
   "held PROGRAM": executes a program, after one call. The kernel waits with that, since this process has a lease on it. Half a second
   later, another thread makes 77 calls more and kills the process.
   "unread -": makes 77 calls, and exits with 5, but is ended by SIGPIPE when its streams are emptied. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void write_times(int times) {
    int null = open("/dev/null", O_WRONLY);
    for (int i = 0; i < times; i++) pwrite(null, "x", 1, 0);
    close(null);
}

static int again(int children) {
    if (unshare(CLONE_NEWPID)) return 3;
    pid_t first = fork();
    if (first) {
        int status;
        waitpid(first, &status, 0);
        return WEXITSTATUS(status);
    }
    int last = open("/proc/sys/kernel/ns_last_pid", O_WRONLY);
    for (int i = 0; i < children; i++) {
        if (pwrite(last, "1", 1, 0) != 1) return 4;
        pid_t child = fork();
        if (!child) {
            write_times(i + 1);
            if (i % 3 == 2) _exit(0);
            kill(getpid(), i % 3 ? SIGTERM : SIGKILL);
            pause();
        }
        if (child != 2) return 5;
        waitpid(child, NULL, 0);
    }
    return 0;
}

static void *write_on_and_die(void *nothing) {
    usleep(500000);
    write_times(77);
    kill(getpid(), SIGKILL);
    return nothing;
}

/* The C library empties the stream at the very end. Nobody reads the pipe. */
static int unread(void) {
    int ends[2];
    if (pipe(ends)) return 10;
    close(ends[0]);
    signal(SIGPIPE, SIG_DFL);
    FILE *stream = fdopen(ends[1], "w");
    write_times(77);
    fputs("text", stream);
    exit(5);
}

static int held(char *program) {
    pthread_t other;
    int leased = open(program, O_WRONLY | O_CLOEXEC);
    signal(SIGIO, SIG_IGN);
    if (leased < 0 || fcntl(leased, F_SETLEASE, F_WRLCK)) return 7;
    write_times(1);
    if (pthread_create(&other, NULL, write_on_and_die, NULL)) return 8;
    execl(program, program, NULL);
    return 9;
}

int main(int count, char **arguments) {
    if (count < 3) return 2;
    if (!strcmp(arguments[1], "unread")) return unread();
    if (!strcmp(arguments[1], "held")) return held(arguments[2]);
    int times = atoi(arguments[2]);
    if (!strcmp(arguments[1], "again")) return again(times);
    write_times(77);
    if (times > 0) {
        char left[12];
        snprintf(left, sizeof left, "%d", times - 1);
        char *next[] = {arguments[0], arguments[1], left, NULL};
        syscall(SYS_execve, "/proc/self/exe", next, environ);
        return 6;
    }
    raise(SIGKILL);
    return 7;
}
