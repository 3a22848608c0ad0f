// flags: -O1 -fno-builtin
/* Makes children without fork: by clone, and by the system call. Each writes a thousand times, and so does the
 * parent. The parent waits for the children only after all exist. */
#define _GNU_SOURCE
#include "witness.h"
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { CHILDREN = 4, WRITES = 1000, STACK = 64 * 1024 };

static char stacks[CHILDREN][STACK];
static int null;

static int work(void *unused) {
    (void)unused;
    for (int i = 0; i < WRITES; i++) MUST(write(null, "x", 1) == 1);
    return 0;
}

int main(void) {
    MUST((null = open("/dev/null", O_WRONLY)) >= 0);
    for (int i = 0; i < CHILDREN; i++) {
        MUST(clone(work, stacks[i] + STACK, SIGCHLD, NULL) > 0);
        long child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
        MUST(child >= 0);
        if (child == 0) {
            work(NULL);
            _exit(0);
        }
    }
    MUST(syscall(SYS_clone, CLONE_FS | CLONE_NEWNS, 0, 0, 0, 0) == -1 && errno == EINVAL);
    work(NULL);
    for (int i = 0; i < 2 * CHILDREN; i++) {
        int status;
        MUST(wait(&status) > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    return 0;
}
