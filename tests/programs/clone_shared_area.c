// flags:
/* A thread that clone(2) makes with the thread-local storage of its maker. */
#define _GNU_SOURCE
#include <sched.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static volatile int done;

static int work(void *argument) {
    (void)argument;
    for (int i = 0; i < 10; i++)
        (void)!write(-1, "", 0);
    done = 1;
    syscall(SYS_exit, 0);
    return 0;
}

int main(void) {
    static char stack[65536] __attribute__((aligned(16)));
    int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
    if (clone(work, stack + sizeof stack, flags, NULL) < 0)
        return 2;
    while (!done)
        usleep(1000);
    return 5;
}
