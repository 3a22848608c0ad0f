// flags: -O1
// Does what its words say, one after the other: `over=TEXT` writes a title over the arguments, `name=TEXT` names the first thread, `sleep=MS`
// sleeps, `fork` has a child do the rest and waits for it, `exec` executes this program again with the rest, `exec-unseen` does so by the system
// call itself.
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static long execve_by_kernel(const char *path, char **arguments) {
#if defined(__x86_64__)
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"((long)SYS_execve), "D"(path), "S"(arguments), "d"(environ)
                     : "rcx", "r11", "memory");
    return result;
#else
    register long number __asm__("x8") = SYS_execve;
    register long first __asm__("x0") = (long)path;
    register long second __asm__("x1") = (long)arguments;
    register long third __asm__("x2") = (long)environ;
    __asm__ volatile("svc 0" : "+r"(first) : "r"(number), "r"(second), "r"(third) : "memory");
    return first;
#endif
}

int main(int argc, char **argv) {
    char *arguments = argv[0];
    size_t room = argv[argc - 1] + strlen(argv[argc - 1]) + 1 - arguments;
    char *words[64] = {NULL};
    for (int i = 0; i < argc && i < 63; i++) words[i] = strdup(argv[i]);
    for (int i = 1; words[i]; i++) {
        const char *word = words[i], *text = strchr(word, '=') + 1;
        if (!strncmp(word, "over=", 5)) {
            memset(arguments, 0, room);
            strncpy(arguments, text, room - 1);
        } else if (!strncmp(word, "name=", 5)) {
            prctl(PR_SET_NAME, text);
        } else if (!strncmp(word, "sleep=", 6)) {
            usleep(atoi(text) * 1000);
        } else if (!strcmp(word, "fork")) {
            pid_t child = fork();
            if (child > 0) return waitpid(child, NULL, 0) != child;
        } else {
            words[i] = words[0];
            if (!strcmp(word, "exec")) execv(words[0], words + i);
            else errno = -execve_by_kernel(words[0], words + i);
            return 1;
        }
    }
    return 0;
}
