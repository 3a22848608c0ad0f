// flags: -O1
/* Executes the program of its arguments as on a machine whose kernel has no functions of its own in the process (vDSO): there,
 * who asks for the time makes a system call. A tracer takes the address of these functions out of what the kernel tells the
 * dynamic linker (getauxval(3)). */
#define _GNU_SOURCE
#include <elf.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define MUST(condition) do { if (!(condition)) { fprintf(stderr, "%d: %s\n", __LINE__, #condition); _exit(9); } } while (0)

static long word(pid_t child, unsigned long address) {
    return ptrace(PTRACE_PEEKDATA, child, (void *)address, NULL);
}

/* Where the stack of a program began, with the count of its arguments (proc(5), stat, field 28). */
static unsigned long first_word(pid_t child) {
    char path[64];
    unsigned long place = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)child);
    FILE *file = fopen(path, "r");
    MUST(file && fscanf(file, "%*d (%*[^)]) %*c") == 0);
    for (int field = 4; field <= 28; field++)
        MUST(fscanf(file, " %lu", &place) == 1 || fscanf(file, " -%lu", &place) == 1);
    fclose(file);
    return place;
}

static void hide_vdso(pid_t child) {
    const unsigned long step = sizeof(long);
    unsigned long at = first_word(child);
    at += (1 + (unsigned long)word(child, at) + 1) * step;
    while (word(child, at))
        at += step;
    at += step;
    for (long type; (type = word(child, at)) != AT_NULL; at += 2 * step)
        if (type == AT_SYSINFO_EHDR) {
            MUST(!ptrace(PTRACE_POKEDATA, child, (void *)at, (void *)(long)AT_IGNORE));
            return;
        }
    MUST(!"there");
}

int main(int count, char **arguments) {
    int status;
    MUST(count > 1);
    pid_t child = fork();
    if (!child) {
        MUST(!ptrace(PTRACE_TRACEME, 0, NULL, NULL));
        execv(arguments[1], arguments + 1);
        _exit(9);
    }
    MUST(waitpid(child, &status, 0) == child && WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP);
    hide_vdso(child);
    MUST(!ptrace(PTRACE_DETACH, child, NULL, NULL));
    MUST(waitpid(child, &status, 0) == child);
    if (WIFSIGNALED(status))
        fprintf(stderr, "ended by signal %d\n", WTERMSIG(status));
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
