// flags: -O1 -fno-builtin -shared -fPIC
/* Functions of the C library in the middle of which a signal comes, when the program has asked for that: before they have done what
 * they are for, or after. */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "system_call.h"

enum { NEVER, BEFORE, AFTER };
int signal_comes;

static void at(int moment) {
    if (signal_comes == moment) {
        signal_comes = NEVER;
        raise(SIGUSR1);
    }
}

#define INTERRUPTED(type, CALL)     \
    {                               \
        at(BEFORE);                 \
        type result = (type)(CALL); \
        at(AFTER);                  \
        return result;              \
    }
#define FAILED(number)    \
    {                     \
        at(BEFORE);       \
        errno = (number); \
        return -1;        \
    }

static long checked(long result) {
    if (result >= -4095 && result < 0) {
        errno = (int)-result;
        return -1;
    }
    return result;
}
#define SYSTEM(number, a, b, c, d, e, f) checked(system_call(number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f)))

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void __libc_free(void *block);
void *__libc_memalign(size_t align, size_t size);

/* As the C library's own: otherwise nothing is known of the heap. */
size_t malloc_usable_size(void *block) {
    return block ? (((size_t *)block)[-1] & ~(size_t)7) - sizeof(size_t) : 0;
}
void *malloc(size_t size) INTERRUPTED(void *, __libc_malloc(size))
void *calloc(size_t count, size_t size) INTERRUPTED(void *, __libc_calloc(count, size))
void *realloc(void *block, size_t size) INTERRUPTED(void *, __libc_realloc(block, size))
void *memalign(size_t align, size_t size) INTERRUPTED(void *, __libc_memalign(align, size))
void free(void *block) {
    at(BEFORE);
    __libc_free(block);
    at(AFTER);
}

ssize_t read(int fd, void *buffer, size_t size) INTERRUPTED(ssize_t, SYSTEM(SYS_read, fd, buffer, size, 0, 0, 0))
ssize_t write(int fd, const void *buffer, size_t size) INTERRUPTED(ssize_t, SYSTEM(SYS_write, fd, buffer, size, 0, 0, 0))
ssize_t readv(int fd, const struct iovec *array, int count) INTERRUPTED(ssize_t, SYSTEM(SYS_readv, fd, array, count, 0, 0, 0))
ssize_t pwritev(int fd, const struct iovec *array, int count, off_t at_offset)
    INTERRUPTED(ssize_t, SYSTEM(SYS_pwritev, fd, array, count, at_offset, 0, 0))
off_t lseek(int fd, off_t offset, int from) INTERRUPTED(off_t, SYSTEM(SYS_lseek, fd, offset, from, 0, 0, 0))
int close(int fd) INTERRUPTED(int, SYSTEM(SYS_close, fd, 0, 0, 0, 0, 0))
void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
    INTERRUPTED(void *, SYSTEM(SYS_mmap, address, size, protection, flags, fd, offset))
int munmap(void *address, size_t size) INTERRUPTED(int, SYSTEM(SYS_munmap, address, size, 0, 0, 0, 0))
int puts(const char *line) INTERRUPTED(int, *line)

/* As clone(2) with CLONE_VFORK: the child needs no stack of its own while its parent waits. */
int clone(int (*run)(void *), void *stack, int flags, void *argument, ...) {
    (void)stack;
    at(BEFORE);
    long child = SYSTEM(SYS_clone, flags, 0, 0, 0, 0, 0);
    if (!child)
        SYSTEM(SYS_exit_group, run(argument), 0, 0, 0, 0, 0);
    return (int)child;
}

int setns(int, int) FAILED(EBADF)
int setuid(uid_t) FAILED(EPERM)
int sigignore(int) FAILED(EINVAL)
int execve(const char *, char *const *, char *const *) FAILED(ENOENT)
int posix_spawn(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *, char *const *, char *const *) {
    at(BEFORE);
    return EAGAIN;
}
