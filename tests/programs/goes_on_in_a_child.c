// flags: -O1 -fno-builtin -D_GNU_SOURCE
/* Functions in the middle of which a signal handler forks, and returns in the child. The child goes on with its parent's call, and
 * then ends: of its own it has only the handler's call of pwritev, and the call that ends it. Needs forking_library.c. */
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define MUST(fact) ((fact) ? (void)0 : (perror(#fact), _exit(99)))

enum { NEVER, BEFORE, AFTER };
extern int signal_comes __attribute__((weak));

static volatile sig_atomic_t is_child, children;
static int file;
static void forks(int number) {
    (void)number;
    pid_t child = fork();
    MUST(child >= 0);
    if (!child) {
        is_child = 1;
        struct iovec own = {"own", 3};
        MUST(pwritev(file, &own, 1, 0) == 3);
        return;
    }
    int status;
    MUST(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    children++;
}

/* Makes a call with a signal at that moment. What it needs is made before, and what it leaves is taken away afterwards. */
#define AT(moment, CALL)        \
    ({                          \
        signal_comes = moment;  \
        __auto_type made = CALL; \
        if (is_child)           \
            _exit(0);           \
        MUST(!signal_comes);    \
        made;                   \
    })

static char *const nothing[] = {NULL};

static void each(int moment, int *ends) {
    char bytes[64] = "";
    struct iovec parts[2] = {{bytes, 16}, {bytes + 16, 16}};
    void *block = AT(moment, malloc(5000));
    block = AT(moment, realloc(block, 9000));
    AT(moment, (free(block), 0));
    free(AT(moment, calloc(3, 700)));
    free(AT(moment, memalign(64, 3000)));
    MUST(AT(moment, write(ends[1], bytes, 64)) == 64);
    AT(moment, read(ends[0], bytes, 1));
    AT(moment, readv(ends[0], parts, 2));
    AT(moment, pwritev(file, parts, 2, 0));
    MUST(AT(moment, lseek(file, 0, SEEK_SET)) == 0);
    AT(moment, read(file, bytes, 32));
    void *page = AT(moment, mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, file, 0));
    MUST(page != MAP_FAILED && AT(moment, munmap(page, 4096)) == 0);
    AT(moment, puts("line"));
    MUST(AT(moment, close(dup(file))) == 0);
}

static void failing(void) {
    MUST(AT(BEFORE, setns(-1, 0)) == -1);
    MUST(AT(BEFORE, setuid(7)) == -1);
    MUST(AT(BEFORE, sigignore(99)) == -1);
    MUST(AT(BEFORE, execve("/nowhere", nothing, nothing)) == -1);
    MUST(AT(BEFORE, posix_spawn(NULL, "/nowhere", NULL, NULL, nothing, nothing)));
}

int main(void) {
    int ends[2];
    file = open("/dev/shm", O_TMPFILE | O_RDWR, 0600);
    MUST(&signal_comes && file >= 0 && pipe(ends) == 0 && signal(SIGUSR1, forks) != SIG_ERR);
    each(BEFORE, ends);
    each(AFTER, ends);
    failing();
    dprintf(1, "%d\n", children);
    return 0;
}
