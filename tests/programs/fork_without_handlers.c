// flags: -O1 -fno-builtin
/* _Fork, which runs no fork handlers. */
#include "witness.h"
#include <sys/wait.h>

int main(void) {
    drop(make(1000));
    MUST(make(2000));
    pid_t child = (pid_t)TRY(_Fork, _Fork());
    MUST(child >= 0);
    if (!child) {
        begin_again();
        MUST(make(300));
        MUST(MOVE(write, 6, write(1, "child\n", 6)) == 6);
        note_call(DOES__exit);
        tell();
        _exit(3);
    }
    int status;
    MUST(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 3);
    tell();
    return 0;
}
