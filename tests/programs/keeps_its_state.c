// flags: -O1 -pthread
// Says what has become of its own state, which others may change by accident: how it calculates with floating point, and its
// record locks.
//
//     keeps_its_state floating    traps of all floating-point exceptions, rounding upwards
//     keeps_its_state flags       the exceptions that have been raised
//     keeps_its_state locks       a lock on files that it executes

#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__x86_64__)
static unsigned vector_unit(void) { return __builtin_ia32_stmxcsr(); }

static void set_vector_unit(unsigned state) { __builtin_ia32_ldmxcsr(state); }

static unsigned x87_unit(void) {
    unsigned short status, control;
    __asm__ volatile("fnstsw %0; fnstcw %1" : "=m"(status), "=m"(control));
    return (unsigned)control << 16 | status;
}

// All exceptions are signals; upwards.
enum { TRAPS = 0x4000, UNTOUCHED = 0x1f80 };
#else
static unsigned vector_unit(void) {
    unsigned long control, status;
    __asm__ volatile("mrs %0, fpcr; mrs %1, fpsr" : "=r"(control), "=r"(status));
    return (unsigned)(control | status);
}

static void set_vector_unit(unsigned state) {
    __asm__ volatile("msr fpcr, %0; msr fpsr, xzr" : : "r"((unsigned long)state));
}

static unsigned x87_unit(void) { return 0; }

enum { TRAPS = 0x409f00, UNTOUCHED = 0 };
#endif

static unsigned wanted;

// Kept from being left out by the compiler.
static void *volatile kept[3000];

static void work(const char *who) {
    set_vector_unit(wanted);
    // The processor may not have all that is asked of it.
    unsigned before = vector_unit(), before_x87 = x87_unit();
    char buffer[64];
    int zeroes = open("/dev/zero", O_RDONLY);
    for (int i = 0; i < 3000; i++)
        kept[i] = malloc(i * 500 + 1);
    for (int i = 0; i < 3000; i++) {
        free(kept[i]);
        for (int j = 0; j < 7; j++)
            if (read(zeroes, buffer, sizeof buffer) != sizeof buffer)
                abort();
    }
    close(zeroes);
    unsigned after = vector_unit(), after_x87 = x87_unit();
    set_vector_unit(UNTOUCHED);
    printf("%s: %s, %s\n", who, before == after ? "unchanged" : "changed",
           before_x87 == after_x87 ? "unchanged" : "changed");
    fflush(stdout);
}

static void *thread(void *unused) {
    work("thread");
    return unused;
}

static int floating(unsigned state) {
    wanted = state;
    work("main");
    pthread_t other;
    pthread_create(&other, 0, thread, 0);
    pthread_join(other, 0);
    pid_t child = fork();
    if (child == 0) {
        work("child");
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    work("again");
    return status;
}

// Whether a process holds a lock on a file: another process finds out.
static int is_locked(const char *path) {
    pid_t child = fork();
    if (child == 0) {
        struct flock lock = {.l_type = F_WRLCK};
        int file = open(path, O_RDONLY);
        _exit(fcntl(file, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK);
    }
    int status;
    waitpid(child, &status, 0);
    return WEXITSTATUS(status);
}

static const char *lock(const char *path) {
    struct flock lock = {.l_type = F_RDLCK};
    if (fcntl(open(path, O_RDONLY | O_CLOEXEC), F_SETLK, &lock) != 0)
        abort();
    return path;
}

static void make(const char *path, const char *content) {
    FILE *file = fopen(path, "w");
    fputs(content, file);
    fclose(file);
    chmod(path, 0755);
}

extern char **environ;

static int locks(char **own) {
    char *arguments[] = {"x", 0};
    int status;
    pid_t child;
    make("script", "#!/bin/true\n");
    make("broken", "\x7f"
                   "ELF, or so it says\n");
    lock("broken");
    execv("broken", arguments);
    printf("after an exec that failed: %d\n", is_locked("broken"));
    posix_spawn(&child, "broken", 0, 0, arguments, environ);
    printf("after a spawn that failed: %d\n", is_locked("broken"));
    lock("script");
    posix_spawn(&child, "./script", 0, 0, arguments, environ);
    waitpid(child, &status, 0);
    printf("after a spawn: %d, status %d\n", is_locked("script"), status);
    posix_spawnp(&child, "./script", 0, 0, arguments, environ);
    waitpid(child, &status, 0);
    printf("after a search and a spawn: %d, status %d\n", is_locked("script"), status);
    child = vfork();
    if (child == 0) {
        execv("script", arguments);
        _exit(1);
    }
    waitpid(child, &status, 0);
    printf("after a child's exec: %d, status %d\n", is_locked("script"), status);
    // Its lock outlives an exec, unless that closes the file.
    struct flock lock = {.l_type = F_RDLCK};
    if (fcntl(open("/proc/self/exe", O_RDONLY), F_SETLK, &lock) != 0)
        abort();
    fflush(stdout);
    execl("/proc/self/exe", own[0], "locked", (char *)0);
    return 1;
}

int main(int count, char **arguments) {
    const char *what = count > 1 ? arguments[1] : "";
    if (strcmp(what, "floating") == 0)
        return floating(TRAPS);
    if (strcmp(what, "flags") == 0)
        return floating(UNTOUCHED);
    if (strcmp(what, "locks") == 0)
        return locks(arguments);
    if (strcmp(what, "locked") == 0) {
        printf("after an exec: %d\n", is_locked("/proc/self/exe"));
        return 0;
    }
    return 2;
}
