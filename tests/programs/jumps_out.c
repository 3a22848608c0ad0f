// flags: -O1 -fno-builtin
/* Signal handlers that write, and then jump out of the read that they interrupted. A child sends the signals: it sees when
 * this process sleeps in that read. It makes no call that a library could count. */
#include "witness.h"
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>

enum { NOT_YET, DUE, NEVER_AGAIN };

static int null;
static sigjmp_buf place;
/* Whether the process is to be interrupted as soon as it sleeps in the read, and the descriptor that it reads. */
static volatile int *shared;
static char call_path[32];

static void on_alarm(int signal) {
    (void)signal;
    MUST(MOVE(write, 4, write(null, "jump", 4)) == 4);
    siglongjmp(place, 1);
}

/* By the number and the arguments of the call that it is in (proc_pid_syscall(5)). An emulator makes other calls, and sleeps
 * in them; their first argument is an address. */
static int reads(int descriptor) {
    char call[128] = "";
    long file = system_call(SYS_openat, AT_FDCWD, (long)call_path, O_RDONLY, 0, 0, 0);
    long length = system_call(SYS_read, file, (long)call, sizeof call - 1, 0, 0, 0);
    system_call(SYS_close, file, 0, 0, 0, 0, 0);
    char *argument = length > 0 ? strchr(call, ' ') : NULL;
    return argument && strtol(argument, NULL, 16) == descriptor;
}

static void interrupt(long process) {
    system_call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0, 0);
    while (*shared != NEVER_AGAIN) {
        if (*shared == DUE && reads(shared[1])) {
            *shared = NOT_YET;
            system_call(SYS_kill, process, SIGALRM, 0, 0, 0, 0);
        }
        system_call(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
    }
    system_call(SYS_exit_group, 0, 0, 0, 0, 0, 0);
}

int main(void) {
    int pipes[2];
    char byte;
    const int both = PROT_READ | PROT_WRITE;
    shared = (int *)SIZED(mmap, 4096, (long)mmap(NULL, 4096, both, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    MUST(shared != MAP_FAILED);
    long process = system_call(SYS_getpid, 0, 0, 0, 0, 0, 0);
    snprintf(call_path, sizeof call_path, "/proc/%ld/syscall", process);
    long child = system_call(FORKING, 0, 0, 0, 0, 0);
    MUST(child >= 0);
    if (child == 0)
        interrupt(process);
    /* Where only a parent may see the calls of a process; elsewhere it fails. */
    system_call(SYS_prctl, PR_SET_PTRACER, child, 0, 0, 0, 0);
    null = (int)TRY(open, open("/dev/null", O_WRONLY));
    MUST(!TRY(pipe, pipe(pipes)));
    shared[1] = pipes[0];
    struct sigaction action = {.sa_handler = on_alarm};
    MUST(!TRY(sigaction, sigaction(SIGALRM, &action, NULL)));
    for (volatile int i = 0; i < 300; i++) {
        drop(make(100));
        if (!sigsetjmp(place, 1)) {
            note_call(DOES_read);
            note_size(DOES_read, 1);
            *shared = DUE;
            read(pipes[0], &byte, 1); /* never returns */
            MUST(0);
        }
        void *array = RESIZE(reallocarray, NULL, 300, reallocarray(NULL, 3, 100));
        drop(array);
        MUST(MOVE(read, 1, read(-1, &byte, 1)) < 0);
    }
    *shared = NEVER_AGAIN;
    MUST(system_call(SYS_wait4, child, 0, 0, 0, 0, 0) == child);
    tell();
    return 0;
}
