// flags: -O1 -fno-builtin -D_GNU_SOURCE
/* Calls functions in the C library's oldest versions, which differ from the newer ones. The old posix_spawn runs a
 * file by a shell if the kernel cannot execute it, and the old quick_exit runs the thread's destructors. */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef NEWER
__asm__(".symver posix_spawn, posix_spawn@GLIBC_2.2.5");
__asm__(".symver posix_spawnp, posix_spawnp@GLIBC_2.2.5");
__asm__(".symver quick_exit, quick_exit@GLIBC_2.10");
#endif

extern char **environ;
extern void *__dso_handle;
extern int __cxa_thread_atexit_impl(void (*)(void *), void *, void *);

static void destructor(void *unused) {
    (void)unused;
    if (write(1, "destructor\n", 11) != 11)
        _exit(99);
}

static void spawn(int (*how)(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
                             char *const *, char *const *),
                  const char *name) {
    char *arguments[] = {"./script", NULL};
    pid_t child;
    int status = 0, error = how(&child, arguments[0], NULL, NULL, arguments, environ);
    if (!error)
        waitpid(child, &status, 0);
    printf("%s: %d, %d\n", name, error, WEXITSTATUS(status));
    fflush(stdout);
}

int main(void) {
    FILE *script = fopen("script", "w");
    fputs("exit 7\n", script);
    fclose(script);
    chmod("script", 0700);
    spawn(posix_spawn, "posix_spawn");
    spawn(posix_spawnp, "posix_spawnp");
    __cxa_thread_atexit_impl(destructor, NULL, __dso_handle);
    quick_exit(3);
}
