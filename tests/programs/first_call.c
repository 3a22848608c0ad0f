// flags: -O1 -fno-builtin @first_call_library
/* Repeats what its library did first, and so takes the locks that the library took. Then it forks and ends. */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern void be_loaded(void);

static void last(void) { puts("last"); }

int main(int argc, char **argv) {
    be_loaded();
    printf("%s\n", setlocale(LC_ALL, "") ? "a locale" : "no locale");
    atexit(last);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        free(malloc(100));
        _exit(7);
    }
    int status = 0;
    waitpid(child, &status, 0);
    printf("child %d\n", WEXITSTATUS(status));
    fflush(stdout);
    if (argc > 1 && !strcmp(argv[1], "at_quick_exit"))
        quick_exit(5);
    return 5;
}
