// flags:
/* Two threads that clone(2) makes with the thread-local storage of their maker; all three make calls at the same time. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CALLS = 100000, STACK = 1 << 20 };

static volatile int done;
static int zero;

static int work(void *argument) {
    (void)argument;
    for (int i = 0; i < CALLS; i++)
        lseek(zero, 0, SEEK_SET);
    __atomic_add_fetch(&done, 1, __ATOMIC_SEQ_CST);
    syscall(SYS_exit, 0);
    return 0;
}

int main(void) {
    zero = open("/dev/zero", O_RDONLY);
    int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
    for (int i = 0; i < 2; i++) {
        char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (stack == MAP_FAILED || clone(work, stack + STACK, flags, NULL) < 0)
            return 2;
    }
    for (int i = 0; i < CALLS; i++)
        lseek(zero, 0, SEEK_SET);
    while (done < 2)
        sched_yield();
    return 5;
}
