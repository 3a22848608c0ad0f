// flags: -O1 -fno-builtin
/* Executes itself again, once by each function of the family, after one failed attempt with that function. PATH
 * must lead to the folder of this program. */
#include "witness.h"

extern char **environ;

int main(int argc, char **argv) {
    static char self[4096];
    MUST(TRY(readlink, readlink("/proc/self/exe", self, sizeof self - 1)) > 0);
    const char *name = strrchr(self, '/') + 1;
    int stage = argc > 1 ? atoi(argv[1]) : 0;
    char next[12];
    snprintf(next, sizeof next, "%d", stage + 1);
    char *args[] = {self, next, NULL};
    const char *none = "/no/such/program";
    for (int i = 0; i <= stage; i++)
        MUST(make(100));

/* Fails once, then succeeds. The successful call is noted before it is made. */
#define FAIL_THEN(which, FAILING, SUCCEEDING) \
    do {                                      \
        MUST(TRY(which, FAILING) < 0);        \
        note_call(DOES_##which);              \
        tell();                               \
        SUCCEEDING;                           \
        return 98;                            \
    } while (0)

    switch (stage) {
    case 0: FAIL_THEN(execv, execv(none, args), execv(self, args));
    case 1: FAIL_THEN(execve, execve(none, args, environ), execve(self, args, environ));
    case 2: FAIL_THEN(execvp, execvp("no-such-program", args), execvp(name, args));
    case 3: FAIL_THEN(execvpe, execvpe(none, args, environ), execvpe(name, args, environ));
    case 4: FAIL_THEN(execl, execl(none, self, next, NULL), execl(self, self, next, NULL));
    case 5:
        FAIL_THEN(execle, execle(none, self, next, NULL, environ),
                  execle(self, self, next, NULL, environ));
    case 6: FAIL_THEN(execlp, execlp(none, self, next, NULL), execlp(name, self, next, NULL));
    case 7:
        FAIL_THEN(execveat, execveat(AT_FDCWD, none, args, environ, 0),
                  execveat(AT_FDCWD, self, args, environ, 0));
    case 8: {
        int fd = (int)TRY(open, open(self, O_RDONLY | O_CLOEXEC));
        FAIL_THEN(fexecve, fexecve(987, args, environ), fexecve(fd, args, environ));
    }
    default:
        tell();
        return 5;
    }
}
