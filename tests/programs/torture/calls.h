/* Steps of the torture program: what threads and handlers do. The account has every call. */
#ifndef CALLS_H
#define CALLS_H

#include "account.h"
#include <dirent.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>

/* What a process may do. */
enum may {
    /* What is safe in a signal handler: the process was made while another thread may have held a lock. */
    SAFE_ONLY,
    /* It may also allocate: fork made it. */
    ALLOCATE,
    /* Anything: its image has one thread, or was executed. */
    ANYTHING,
};

enum { KEPT = 64, CHILD_STACK = 64 * 1024 };

/* A thread. */
struct self {
    uint64_t random;
    enum may may;
    int tid, depth, in_handler;
    /* No lock is held, so a jump may leave the current call, and a child may continue it. */
    volatile int in_safe_step, may_jump;
    sigjmp_buf back;
    /* The thread continues in a child that a handler made. */
    volatile int is_child;
    void *kept[KEPT];
    pthread_t thread;
};

static __thread struct self *me;

static uint64_t any(void) {
    uint64_t x = me->random;
    x ^= x << 13, x ^= x >> 7, x ^= x << 17;
    return (me->random = x) * 0x2545f4914f6cdd1dU >> 16;
}
static int below(int bound) { return (int)(any() % (uint64_t)bound); }
static int one_in(int n) { return !below(n); }

static char *unique_name(char *to) {
    static uint64_t last;
    memcpy(to, "t-", 2);
    to = digits(to + 2, (uint64_t)own_pid());
    *to++ = '-';
    to = digits(to, (uint64_t)own_tid());
    *to++ = '-';
    return digits(to, PLUS(last, 1));
}

/* I/O that never waits, and is safe anywhere. Nothing is assumed about the bytes that are read: a child with the
 * same descriptors may make the same calls. */
static void safe_step(void) {
    char bytes[512], name[64], other[64];
    struct iovec vector[2] = {{bytes, (size_t)below(100)}, {bytes + 100, (size_t)below(300)}};
    size_t size = (size_t)below(sizeof bytes);
    memset(bytes, 'x', sizeof bytes);
    int fd, two[2];
    switch (below(16)) {
    case 0:
    case 1:
        if ((fd = CALL(open, open("/dev/null", O_RDWR | O_CLOEXEC))) < 0)
            break;
        for (int i = below(8); i >= 0; i--)
            MUST(MOVE(write, size, write(fd, bytes, size)) == (long)size);
        MOVE(writev, vector[0].iov_len + vector[1].iov_len, writev(fd, vector, 2));
        CALL(close, close(fd));
        break;
    case 2:
        if ((fd = CALL(openat, openat(AT_FDCWD, "/dev/zero", O_RDONLY | O_CLOEXEC))) < 0)
            break;
        MUST(MOVE(read, size, read(fd, bytes, size)) == (long)size);
        MOVE(readv, vector[0].iov_len + vector[1].iov_len, readv(fd, vector, 2));
        CALL(close, close(fd));
        break;
    case 3:
        if (CALL(pipe2, pipe2(two, O_NONBLOCK | O_CLOEXEC)))
            break;
        MOVE(write, size, write(two[1], bytes, size));
        MOVE(read, sizeof bytes, read(two[0], bytes, sizeof bytes));
        CALL(close, close(two[0]));
        CALL(close, close(two[1]));
        break;
    case 4:
        if (CALL(socketpair, socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, two)))
            break;
        MOVE(send, size, send(two[0], bytes, size, 0));
        MOVE(recv, sizeof bytes, recv(two[1], bytes, sizeof bytes, 0));
        CALL(close, close(two[0]));
        CALL(close, close(two[1]));
        break;
    case 5:
        if ((fd = CALL(memfd_create, memfd_create("torture", MFD_CLOEXEC))) < 0)
            break;
        MOVE(pwrite, size, pwrite(fd, bytes, size, 100));
        MOVE(pread, size, pread(fd, bytes, size, 50));
        CALL(ftruncate, ftruncate(fd, 1000));
        CALL(lseek, lseek(fd, 0, SEEK_END));
        CALL(close, close(fd));
        break;
    case 6:
        unique_name(name);
        if ((fd = CALL(open, open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600))) < 0)
            break;
        MOVE(write, size, write(fd, bytes, size));
        CALL(close, close(fd));
        unique_name(other);
        CALL(rename, rename(name, other));
        CALL(unlink, unlink(other));
        break;
    case 7: {
        struct stat stat_;
        CALL(stat, stat(one_in(2) ? "." : "is not there", &stat_));
        CALL(access, access("/dev/null", R_OK));
        /* It no longer exists after the main thread has ended. */
        CALL(readlink, readlink("/proc/self/exe", bytes, sizeof bytes));
        break;
    }
    case 8: {
        void *at = CALL(mmap, mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        if (at == MAP_FAILED)
            break;
        *(char *)at = 1;
        void *moved = CALL(mremap, mremap(at, 8192, 16384, MREMAP_MAYMOVE));
        if (moved == MAP_FAILED)
            break;
        CALL(madvise, madvise(moved, 16384, MADV_DONTNEED));
        CALL(munmap, munmap(moved, 16384));
        break;
    }
    case 9:
    case 10: {
        struct timespec time = {0, below(100000)};
        CALL(nanosleep, nanosleep(&time, NULL));
        break;
    }
    case 11: {
        struct pollfd nothing = {-1, POLLIN, 0};
        CALL(poll, poll(&nothing, 1, one_in(4) ? 1 : 0));
        break;
    }
    case 12: {
        uint64_t value = 1;
        if ((fd = CALL(eventfd, eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC))) < 0)
            break;
        MOVE(write, 8, write(fd, &value, 8));
        MOVE(read, 8, read(fd, &value, 8));
        CALL(close, close(fd));
        break;
    }
    case 13:
        if ((fd = CALL(dup, dup(2))) < 0)
            break;
        CALL(fcntl, fcntl(fd, F_GETFD));
        CALL(close, close(fd));
        break;
    case 14:
        unique_name(name);
        CALL(mkdir, mkdir(name, 0700));
        CALL(rmdir, rmdir(name));
        break;
    default:
        /* Calls that fail. */
        MOVE(write, size, write(-1, bytes, size));
        MOVE(read, 8, read(1 << 20, bytes, 8));
        CALL(open, open("is/not/there", O_RDONLY));
        CALL(close, close(-1));
        CALL(usleep, usleep((unsigned)below(50)));
    }
}

static void life_of_child(void);

/* The same, for calls that a handler may leave, or continue in a child. */
static void interruptible_step(void) {
    me->in_safe_step = 1;
    safe_step();
    me->in_safe_step = 0;
    if (me->is_child)
        life_of_child();
}

/* Threads exchange blocks. */
static void *exchange[KEPT];

static void allocation_step(void) {
    for (int i = below(40); i >= 0; i--) {
        size_t size = one_in(8) ? 8192 + (size_t)below(20000) : (size_t)below(3000) + 1;
        int at = below(KEPT);
        char *block = me->kept[at];
        me->kept[at] = NULL;
        if (block && one_in(3)) {
            block = CALL(realloc, realloc(block, size));
        } else {
            DO(free, free(block));
            void *aligned = NULL;
            switch (below(8)) {
            case 0: block = CALL(calloc, calloc(size, 1)); break;
            case 1: block = CALL(reallocarray, reallocarray(NULL, 3, size)); break;
            case 2: block = CALL(posix_memalign, posix_memalign(&aligned, 64, size)) ? NULL : aligned; break;
            case 3: block = CALL(aligned_alloc, aligned_alloc(64, size / 64 * 64 + 64)); break;
            case 4: block = CALL(memalign, memalign(256, size)); break;
            default: block = CALL(malloc, malloc(size));
            }
        }
        MUST(block);
        if (!block)
            continue;
        MUST(CALL(malloc_usable_size, malloc_usable_size(block)) >= size);
        memset(block, 'y', size);
        if (one_in(2))
            block = __atomic_exchange_n(&exchange[below(KEPT)], block, __ATOMIC_ACQ_REL);
        me->kept[at] = block;
    }
}

static void stdio_step(void) {
    char name[64], line[100];
    unique_name(name);
    FILE *file = CALL(fopen, fopen(name, "w+e"));
    if (!file)
        return;
    int lines = below(60) + 1;
    for (int i = 0; i < lines; i++) {
        CALL(fprintf, fprintf(file, "line %d\n", i));
        CALL(fputs, fputs("text\n", file));
        CALL(fputc, fputc('c', file));
        CALL(fputc, fputc('\n', file));
        CALL(fwrite, fwrite("bytes\n", 1, 6, file));
    }
    CALL(fflush, fflush(file));
    DO(rewind, rewind(file));
    MUST_BEFORE_END(CALL(fgets, fgets(line, sizeof line, file)) && !strcmp(line, "line 0\n"));
    MUST_BEFORE_END(CALL(fgetc, fgetc(file)) == 't');
    MUST_BEFORE_END(CALL(fread, fread(line, 1, 4, file)) == 4);
    MUST(!CALL(fclose, fclose(file)));
    CALL(unlink, unlink(name));
}

static void folder_step(void) {
    DIR *folder = CALL(opendir, opendir("/proc/self/task"));
    if (!folder)
        return;
    while (CALL(readdir, readdir(folder)))
        ;
    MUST(!CALL(closedir, closedir(folder)));
}

static void shell_step(void) {
    char word[10] = "";
    FILE *shell = CALL(popen, popen("echo word 2> /dev/null; exit 0", "re"));
    if (!shell)
        return;
    while (!CALL(fgets, fgets(word, sizeof word, shell)) && errno == EINTR)
        clearerr(shell);
    MUST_BEFORE_END(!strcmp(word, "word\n"));
    MUST(CALL(pclose, pclose(shell)) == 0);
}

#endif
