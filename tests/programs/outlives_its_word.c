// flags: -O1 -fno-builtin -pthread
/* As many children as its argument says live at the same time, until all have been made. Then each calls exit, which comes as far as the last flush:
 * nobody reads what it writes to. Another thread makes most of the calls, 300 ms later, and ends the process. */
#include "witness.h"
#include <sys/wait.h>
#include <time.h>

static int ends[2];

static void *goes_on(void *unused) {
    struct timespec pause = {0, 300000000};
    system_call(SYS_nanosleep, (long)&pause, 0, 0, 0, 0, 0);
    char byte;
    for (int i = 0; i < 1000; i++)
        MUST(MOVE(read, 1, read(ends[0], &byte, 1)) == 0);
    tell();
    system_call(SYS_exit_group, 0, 0, 0, 0, 0, 0);
    return unused;
}

static void fill_standard_output(void) {
    static char buffer[BUFSIZ], much[1 << 16];
    int full[2];
    told_to = (int)TRY(dup, dup(1));
    MUST(!TRY(pipe, pipe(full)));
    MUST(TRY(dup2, dup2(full[1], 1)) == 1);
    MUST(bare(SYS_write, 1, much, sizeof much) == sizeof much);
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    MUST(MOVE(fwrite, 1, (long)fwrite("x", 1, 1, stdout)) == 1);
}

int main(int argc, char **argv) {
    int children = argc > 1 ? atoi(argv[1]) : 2;
    pthread_t thread;
    char byte;
    MUST(!TRY(pipe, pipe(ends)));
    for (int i = 0; i < children; i++) {
        pid_t child = (pid_t)TRY(fork, fork());
        MUST(child >= 0);
        if (!child) {
            begin_again();
            fill_standard_output();
            MUST(!TRY(close, close(ends[1])));
            MUST(MOVE(read, 1, read(ends[0], &byte, 1)) == 0);
            MUST(!pthread_create(&thread, NULL, goes_on, NULL));
            return 0;
        }
    }
    MUST(!TRY(close, close(ends[1])));
    for (int i = 0; i < children; i++)
        MUST(wait(NULL) > 0);
    tell();
    return 0;
}
