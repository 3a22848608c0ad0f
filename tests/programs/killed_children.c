// flags: -O1 -fno-builtin -D_GNU_SOURCE
/* Children that end without a sign to Weir. The parent waits for each in another way, and prints their process ids
 * and how they ended. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

pid_t wait_alias(int *) __asm__("__wait");
pid_t waitpid_alias(pid_t, int *, int) __asm__("__waitpid");

/* A child that makes a call. Then a signal kills it, or it ends by a bare system call with a status. */
static pid_t child(int number, int status) {
    pid_t pid = fork();
    if (pid)
        return pid;
    free(malloc(10));
    if (number) {
        /* Under nohup, the program starts with one of these signals ignored. */
        signal(number, SIG_DFL);
        kill(getpid(), number);
    }
    syscall(SYS_exit_group, status);
    return -1;
}

static void told(pid_t pid, const char *how, int number) {
    printf("%d %s %d\n", (int)pid, how, number);
    fflush(stdout);
}

int main(void) {
    int status;
    siginfo_t info;
    pid_t pid = child(SIGKILL, 0);
    told(wait(&status), "signal", SIGKILL);
    told(pid = child(SIGTERM, 0), "signal", SIGTERM);
    wait_alias(NULL);
    told(pid = child(0, 5), "status", 5);
    waitpid(pid, NULL, 0);
    told(pid = child(SIGUSR1, 0), "signal", SIGUSR1);
    waitpid_alias(pid, &status, 0);
    told(pid = child(SIGUSR2, 0), "signal", SIGUSR2);
    wait3(&status, 0, NULL);
    told(pid = child(0, 255), "status", 255);
    wait4(pid, NULL, 0, NULL);
    told(pid = child(SIGHUP, 0), "signal", SIGHUP);
    waitid(P_PID, pid, &info, WEXITED);
    told(pid = child(0, 6), "status", 6);
    waitid(P_PID, pid, NULL, WEXITED);
    told(pid = child(SIGALRM, 0), "signal", SIGALRM);
    syscall(SYS_wait4, pid, &status, 0, NULL);
    /* A child that is stopped and continued has not ended by that. */
    pid = fork();
    if (!pid) {
        free(malloc(10));
        raise(SIGSTOP);
        syscall(SYS_exit_group, 7);
    }
    if (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status))
        return 1;
    kill(pid, SIGCONT);
    while (waitpid(pid, &status, WNOHANG) == 0)
        usleep(1000);
    told(pid, "status", 7);
    return 0;
}
