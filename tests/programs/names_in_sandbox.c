// flags: -O1 -pthread
/* Opens fifty files and makes one in memory, in a sandbox, in a thread that was there before and in one that was not. Any call that it
 * does not make itself kills it. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "allow_only.h"

static const int allowed[] = {
    SYS_openat, SYS_close, SYS_memfd_create, SYS_exit_group,
    /* The C library's, where a thread begins and ends. */
    SYS_mmap, SYS_munmap, SYS_mprotect, SYS_brk, SYS_madvise, SYS_futex, SYS_clone, SYS_clone3, SYS_exit, SYS_rt_sigprocmask,
    SYS_set_robust_list, SYS_rseq,
};
enum { FILES = 25 };

static pthread_barrier_t sealed;

static void *opens(void *of) {
    pthread_barrier_wait(&sealed);
    char name[64];
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof name, "%s-%d", (const char *)of, i);
        if (close(open(name, O_CREAT | O_WRONLY, 0600)))
            _exit(8);
    }
    snprintf(name, sizeof name, "memory-%s", (const char *)of);
    if (close(memfd_create(name, 0)))
        _exit(7);
    return of;
}

int main(void) {
    pthread_t before, after;
    pthread_barrier_init(&sealed, NULL, 2);
    if (pthread_create(&before, NULL, opens, "before"))
        return 6;
    allow_only(allowed, sizeof allowed / sizeof *allowed);
    pthread_barrier_wait(&sealed);
    pthread_join(before, NULL);
    pthread_barrier_init(&sealed, NULL, 1);
    if (pthread_create(&after, NULL, opens, "after"))
        return 5;
    pthread_join(after, NULL);
    _exit(4);
}
