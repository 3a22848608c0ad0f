// flags: -O1 -fno-builtin -Iinclude -pthread -Wl,-z,now
// Measures the stack that each call takes. Prints "NAME BYTES": from the caller's frame down to the lowest byte that
// some hundred calls have written.
// With the argument "coroutine", a coroutine makes the calls. Its runtime takes none of that stack, because it first
// switches to a stack of its own. With "sealed", there is a seccomp filter. With "without descriptors", no descriptor
// is free, and only the calls that need one to wait are made. With "without a slot", a thread makes the calls that
// begins when other threads have all slots of the region.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <netinet/in.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include "weir.h"

// A thread empties its ring after 4096 timed calls.
enum { SLOTS = 1024, STACK = 64 * 1024, TIMES = 300, TIMES_OF_PROCESSES = 12, TIMES_OF_READ = 9000 };

#define MUST(condition) ((condition) ? (void)0 : (dprintf(2, "%d: %s\n", __LINE__, #condition), abort()))

static int zero, null, file, folder, pair[2], pipes[2], datagrams[2], listener, epolls, event, quiet[2], full[2];
static struct sockaddr_in here = {.sin_family = AF_INET};
static char bytes[1 << 16];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static struct iovec vectors[20];
static struct msghdr message = {.msg_iov = vectors, .msg_iovlen = 2};
static struct mmsghdr messages[2];
static FILE *stream, *unbuffered;

// A system call that takes no stack.
static long plainly(long number, long a, long b, long c, long d) {
    long result;
    register long r10 __asm__("r10") = d;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
    return result;
}

// What a call waits for comes during its wait.
static int inside, waits, fed, drained;

static void *current(void) { return inside ? &inside : NULL; }

char runtime_stack[16 * 1024] __attribute__((aligned(16)));
void *coroutine_sp;

// Calls a function of the runtime on the runtime's own stack. Only the return address is on the caller's stack.
#define ON_RUNTIME_STACK(name, body)                                                                                   \
    __asm__(".text\n" name ":\n"                                                                                       \
            "mov %rsp, coroutine_sp(%rip)\n"                                                                           \
            "lea 16*1024+runtime_stack(%rip), %rsp\n"                                                                  \
            "call " body "\n"                                                                                          \
            "mov coroutine_sp(%rip), %rsp\n"                                                                           \
            "ret\n")

ON_RUNTIME_STACK("wait_fd", "waited_fd");
ON_RUNTIME_STACK("sleep_ns", "slept_ns");
int wait_fd(int fd, short events, int timeout_ms) __asm__("wait_fd");
int sleep_ns(uint64_t ns) __asm__("sleep_ns");

int waited_fd(int fd, short events, int timeout_ms) {
    (void)fd;
    (void)timeout_ms;
    waits++;
    if (fed > 0)
        plainly(SYS_write, fed, (long)bytes, 1, 0);
    if (drained > 0)
        plainly(SYS_read, drained, (long)bytes + 4096, 1 << 15, 0);
    return events;
}

int slept_ns(uint64_t ns) {
    struct timespec time = {0, ns % 1000000000};
    plainly(SYS_nanosleep, (long)&time, 0, 0, 0);
    return 0;
}

static void fd_closing(int fd) { (void)fd; }

static struct weir_coop runtime = {
    .abi = WEIR_COOP_ABI, .size = sizeof runtime, .name = "on one stack", .current = current, .wait_fd = wait_fd,
    .sleep_ns = sleep_ns, .fd_closing = fd_closing,
};

// The calls. Without Weir, the compiler gives each the same depth.
#define CALLS                                                                                                          \
    CALL(malloc_and_free, free(malloc(77)))                                                                            \
    CALL(malloc_large, free(malloc(1 << 20)))                                                                          \
    CALL(calloc, free(calloc(3, 7)))                                                                                   \
    CALL(realloc, free(realloc(malloc(10), 5000)))                                                                     \
    CALL(reallocarray, free(reallocarray(NULL, 10, 10)))                                                               \
    CALL(memalign, free(memalign(64, 100)))                                                                            \
    CALL(free_null, free(NULL))                                                                                        \
    CALL(mmap, munmap(mmap(NULL, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 4096))                                  \
    CALL(read, MUST(read(zero, bytes, 32) == 32))                                                                      \
    CALL(write, MUST(write(null, bytes, 32) == 32))                                                                    \
    CALL(readv, MUST(readv(zero, vectors, 2) == 64))                                                                   \
    CALL(writev, MUST(writev(null, vectors, 2) == 64))                                                                 \
    CALL(pread, MUST(pread(file, bytes, 8, 0) == 8))                                                                   \
    CALL(read_of_nothing, MUST(read(-1, bytes, 8) < 0))                                                                \
    CALL(write_and_read_pipe, MUST(write(pipes[1], bytes, 8) == 8 && read(pipes[0], bytes, 8) == 8))                   \
    CALL(writev_and_readv_pipe, MUST(writev(pipes[1], vectors, 2) == 64 && readv(pipes[0], vectors, 2) == 64))         \
    CALL(much_to_a_pipe, MUST(write(pipes[1], bytes, 10000) == 10000 && read(pipes[0], bytes, 10000) == 10000))        \
    CALL(many_to_a_pipe, MUST(writev(pipes[1], vectors + 2, 3) == 9000 && read(pipes[0], bytes, 9000) == 9000))        \
    CALL(write_and_read_socket, MUST(write(pair[1], bytes, 8) == 8 && read(pair[0], bytes, 8) == 8))                   \
    CALL(writev_and_readv_socket, MUST(writev(pair[1], vectors, 2) == 64 && readv(pair[0], vectors, 2) == 64))         \
    CALL(send_and_recv, MUST(send(pair[1], bytes, 8, 0) == 8 && recv(pair[0], bytes, 8, 0) == 8))                      \
    CALL(sendto_and_recvfrom,                                                                                          \
         MUST(sendto(pair[1], bytes, 8, 0, NULL, 0) == 8 && recvfrom(pair[0], bytes, 8, 0, NULL, NULL) == 8))          \
    CALL(sendmsg_and_recvmsg, MUST(sendmsg(pair[1], &message, 0) == 64 && recvmsg(pair[0], &message, 0) == 64))        \
    CALL(sendmmsg_and_recvmmsg,                                                                                        \
         MUST(sendmmsg(datagrams[1], messages, 2, 0) == 2 && recvmmsg(datagrams[0], messages, 2, 0, NULL) == 2))       \
    CALL(recv_all, MUST(send(pair[1], bytes, 8, 0) == 8 && recv(pair[0], bytes, 8, MSG_WAITALL) == 8))                 \
    CALL(recvmsg_all, MUST(send(pair[1], bytes, 64, 0) == 64 && recvmsg(pair[0], &message, MSG_WAITALL) == 64))        \
    CALL(recv_dontwait, MUST(recv(quiet[0], bytes, 8, MSG_DONTWAIT) < 0))                                              \
    CALL(recv_in_time, MUST(recv(datagrams[0], bytes, 8, 0) < 0))                                                      \
    CALL(open_and_close, close(open("/dev/null", O_RDONLY)))                                                           \
    CALL(openat_and_close, close(openat(AT_FDCWD, "one of many names", O_RDONLY | O_CREAT, 0600)))                     \
    CALL(openat_below_and_close, close(openat(folder, "one of many names", O_RDONLY | O_CREAT, 0600)))                 \
    CALL(open_nothing, MUST(open("/no/such", O_RDONLY) < 0))                                                           \
    CALL(dup, close(dup(zero)))                                                                                        \
    CALL(dup2, MUST(dup2(zero, 99) == 99))                                                                             \
    CALL(fcntl, MUST(fcntl(zero, F_GETFL) >= 0))                                                                       \
    CALL(ioctl, MUST(ioctl(pair[0], FIONREAD, bytes) == 0))                                                            \
    CALL(lseek, MUST(lseek(file, 0, SEEK_SET) == 0))                                                                   \
    CALL(close_range, MUST(close_range(99, 99, 0) == 0))                                                               \
    CALL(pipe, (MUST(pipe((int *)bytes) == 0), close(((int *)bytes)[0]), close(((int *)bytes)[1])))                    \
    CALL(socket, close(socket(AF_INET, SOCK_STREAM, 0)))                                                               \
    CALL(bind, MUST(bind(socket_again(), (void *)&here, sizeof here) == 0))                                            \
    CALL(connect_and_accept, (MUST(connect(socket_again(), (void *)&here, sizeof here) == 0), close(accept(listener, NULL, NULL)))) \
    CALL(setsockopt, MUST(setsockopt(pair[0], SOL_SOCKET, SO_RCVBUF, &(int){9999}, sizeof(int)) == 0))                 \
    CALL(shutdown, shutdown(listener + 500, SHUT_WR))                                                                  \
    CALL(poll, MUST(poll(&(struct pollfd){quiet[1], POLLOUT, 0}, 1, 5) == 1))                                          \
    CALL(poll_two, MUST(poll((struct pollfd[]){{quiet[0], POLLIN, 0}, {pair[0], POLLIN, 0}}, 2, 2) == 0))              \
    CALL(ppoll, MUST(ppoll(&(struct pollfd){quiet[0], POLLIN, 0}, 1, &(struct timespec){0, 1000}, NULL) == 0))         \
    CALL(select, MUST(selects() == 0))                                                                                 \
    CALL(epoll_wait, MUST(epoll_wait(epolls, (void *)bytes, 4, 1) == 0))                                               \
    CALL(epoll, close(epoll_create1(0)))                                                                               \
    CALL(eventfd, MUST(eventfd_write(event, 1) == 0 && eventfd_read(event, (void *)bytes) == 0))                       \
    CALL(sendfile, MUST(sendfile(null, file, (off_t[]){0}, 8) == 8))                                                   \
    CALL(splice, MUST(write(pipes[1], bytes, 8) == 8 && splice(pipes[0], NULL, null, NULL, 8, 0) == 8))                \
    CALL(usleep, MUST(usleep(10) == 0))                                                                                \
    CALL(nanosleep, MUST(nanosleep(&(struct timespec){0, 10}, NULL) == 0))                                             \
    CALL(clock_nanosleep, MUST(clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){0, 10}, NULL) == 0))             \
    CALL(sigaction, MUST(sigaction(SIGUSR2, NULL, (void *)bytes) == 0))                                                \
    CALL(stat, MUST(stat("/", (void *)bytes) == 0))                                                                    \
    CALL(access, MUST(access("/", R_OK) == 0))                                                                         \
    CALL(fread, MUST(fread(bytes, 1, 5000, stream) == 5000))                                                           \
    CALL(getc, MUST(getc(stream) >= 0))                                                                                \
    CALL(fflush, MUST(fflush(stream) == 0))                                                                            \
    CALL(fscanf, MUST(fscanf(stream, "%*5c") == 0))                                                                    \
    CALL(fputs_unbuffered, MUST(fputs("text", unbuffered) >= 0))                                                       \
    CALL(cond_timedwait, MUST(pthread_cond_timedwait(&condition, &mutex, &(struct timespec){1, 0}) == ETIMEDOUT))      \
    CALL(futex, MUST(syscall(SYS_futex, bytes, FUTEX_WAIT, 99, NULL, NULL, 0) < 0))                                    \
    CALL(syscall, MUST(syscall(SYS_getppid) > 0))                                                                      \
    /* Processes: the parent sees how much of the stack a child of vfork takes. */                                     \
    CALL(exec_nothing, MUST(execl("/no/such", "such", NULL) < 0))                                                      \
    CALL(vfork_and_execl, started(vforked(execl("/bin/true", "true", "one", "two", NULL))))                            \
    CALL(vfork_and_execve, started(vforked(execve("/bin/true", strings, strings + 2))))                                \
    CALL(vfork_and_execve_own, started(vforked(execve("/bin/true", strings, environ))))                                \
    CALL(execve_nothing, MUST(execve("/no/such", strings, strings + 2) < 0))                                           \
    CALL(execve_nothing_own, MUST(execve("/no/such", strings, environ) < 0))                                           \
    CALL(vfork_and_exit, started(vforked((void)0)))                                                                          \
    CALL(posix_spawn, started(spawned()))                                                                              \
    CALL(fork_and_read, started(forked()))                                                                             \
    CALL(fork_and_exit, exited())                                                                                      \
    CALL(fork_and_wait4, MUST(wait4(doomed(), NULL, 0, NULL) > 0))                                                     \
    CALL(fork_and_waitid, MUST(waitid(P_PID, doomed(), NULL, WEXITED) == 0))                                           \
    /* Calls that have to wait, in coroutines only; the data comes meanwhile. */                                       \
    WAIT(read_waits, quiet[1], 0, MUST(read(quiet[0], bytes, 8) == 1))                                                 \
    WAIT(recv_waits, quiet[1], 0, MUST(recv(quiet[0], bytes, 8, 0) == 1))                                              \
    WAIT(readv_waits, quiet[1], 0, MUST(readv(quiet[0], vectors, 2) == 1))                                             \
    WAIT(recvmsg_waits, quiet[1], 0, MUST(recvmsg(quiet[0], &message, 0) == 1))                                        \
    WAIT(recv_all_waits, quiet[1], 0, MUST(recv(quiet[0], bytes, 3, MSG_WAITALL) == 3))                                \
    WAIT(recvmsg_all_waits, quiet[1], 0, MUST(recvmsg(quiet[0], &message, MSG_WAITALL) == 64))                         \
    WAIT(pipe_waits, pipes[1], 0, MUST(read(pipes[0], bytes, 8) == 1))                                                 \
    WAIT(poll_waits, quiet[1], 0, MUST(poll((struct pollfd[]){{quiet[0], POLLIN, 0}, {pair[0], POLLIN, 0}}, 2, 99) == 1), (void)plainly(SYS_read, quiet[0], (long)bytes, 99, 0)) \
    WAIT(send_waits, 0, full[0], MUST(send(full[1], bytes, 30000, 0) == 30000))                                        \
    WAIT(write_waits, 0, full[0], MUST(write(full[1], bytes, 30000) == 30000))                                         \
    WAIT(writev_waits, 0, full[0], MUST(writev(full[1], vectors + 2, 3) == 9000))                                      \
    WAIT(sendmsg_waits, 0, full[0], MUST(sendmsg(full[1], &message, 0) == 64))

static char *strings[] = {"true", NULL, "A=B", NULL};

// Does something in a child that shares memory.
#define vforked(what)                                                                                                  \
    ({                                                                                                                 \
        pid_t child_ = vfork();                                                                                        \
        if (child_ == 0) {                                                                                             \
            what;                                                                                                      \
            _exit(0);                                                                                                  \
        }                                                                                                              \
        child_;                                                                                                        \
    })

// An environment as large as a desktop's: a hundred more variables.
static void fill_environment(void) {
    static char *all[400];
    int count = 0;
    while (environ[count] != NULL) {
        MUST(count < 299);
        all[count] = environ[count];
        count++;
    }
    for (int more = 0; more < 100; more++)
        all[count++] = "SOME=VALUE";
    environ = all;
}

static pid_t spawned(void) {
    static pid_t pid;
    MUST(posix_spawn(&pid, "/bin/true", NULL, NULL, strings, environ) == 0);
    return pid;
}

static char *stack, *frame;
// The stack that a forked child has taken, in bytes.
static long *taken;

/* The lowest byte from there on that was written. Eight at a time: most were not. */
static char *lowest_written(char *at) {
    typedef uint64_t __attribute__((may_alias, aligned(1))) bytes;
    while (*(bytes *)at == 0x5a5a5a5a5a5a5a5a)
        at += sizeof(bytes);
    while (*at == 0x5a)
        at++;
    return at;
}

static long depth(void) { return frame - lowest_written(stack); }

static pid_t forked(void) {
    pid_t pid = fork();
    if (pid == 0) {
        MUST(read(zero, bytes, 8) == 8);
        *taken = depth();
        _exit(0);
    }
    return pid;
}

static void started(pid_t pid) {
    int status;
    MUST(pid > 0 && plainly(SYS_wait4, pid, (long)&status, 0, 0) == pid && status == 0);
}

// A child that ends at once.
static pid_t doomed(void) {
    pid_t pid;
    __asm__ volatile("syscall" : "=a"(pid) : "a"(SYS_fork) : "rcx", "r11", "memory");
    if (pid == 0)
        plainly(SYS_exit_group, 0, 0, 0, 0);
    return pid;
}

// The stack on which a forked child ends. Its parent can see how much of it was used.
static struct {
    char *frame;
    char stack[STACK] __attribute__((aligned(16)));
} *last;

static void end(void) {
    __asm__ volatile("mov %%rsp, %0" : "=r"(last->frame));
    _exit(0);
}

static void exited(void) {
    static ucontext_t context;
    memset(last->stack, 0x5a, STACK);
    pid_t pid = fork();
    if (pid == 0) {
        getcontext(&context);
        context.uc_stack = (stack_t){.ss_sp = last->stack, .ss_size = STACK};
        makecontext(&context, end, 0);
        setcontext(&context);
    }
    started(pid);
    char *lowest = lowest_written(last->stack);
    if (last->frame - lowest > *taken)
        *taken = last->frame - lowest;
}

static int again = -1;

// A new socket in place of the previous one.
static int socket_again(void) {
    if (again >= 0)
        plainly(SYS_close, again, 0, 0, 0);
    return again = socket(AF_INET, SOCK_STREAM, 0);
}

static int selects(void) {
    static fd_set set;
    FD_ZERO(&set);
    FD_SET(quiet[0], &set);
    FD_SET(pair[0], &set);
    static struct timeval time;
    time = (struct timeval){0, 1000};
    return select(quiet[1] + 1, &set, NULL, NULL, &time);
}

#define CALL(name, ...) static void call_##name(void) { __VA_ARGS__; }
#define WAIT(name, feeds, drains, ...)                                                                                 \
    static void call_##name(void) {                                                                                    \
        fed = feeds;                                                                                                   \
        drained = drains;                                                                                              \
        __VA_ARGS__;                                                                                                   \
        fed = drained = 0;                                                                                             \
    }
CALLS
#undef CALL
#undef WAIT

static const struct {
    const char *name;
    void (*call)(void);
    int waits;
} calls[] = {
#define CALL(name, ...) {#name, call_##name, 0},
#define WAIT(name, ...) {#name, call_##name, 1},
    CALLS
};

static ucontext_t main_context, other_context;
static void (*to_call)(void);

static void on_it(void) {
    for (;;) {
        __asm__ volatile("mov %%rsp, %0" : "=r"(frame));
        inside = runtime.flags != 0;
        to_call();
        inside = 0;
        swapcontext(&other_context, &main_context);
    }
}

// A filter that permits everything. Weir cannot know that.
static void seal(void) {
    struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog filter = {1, &allow};
    MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0);
}

// Whether a word is among the arguments.
static int is_asked(char **argv, const char *word) {
    while (*++argv)
        if (strcmp(*argv, word) == 0)
            return 1;
    return 0;
}

static int wants_descriptor(const char *name) {
    return strstr(name, "poll") != NULL || strstr(name, "select") != NULL || strstr(name, "sleep") != NULL;
}

static pthread_barrier_t has_slot;

// A thread that takes a slot, and keeps it until the process ends.
static void *keep_slot(void *argument) {
    (void)argument;
    MUST(read(zero, bytes, 8) == 8);
    pthread_barrier_wait(&has_slot);
    for (;;)
        plainly(SYS_pause, 0, 0, 0, 0);
}

// Starts threads until all slots are taken, one after the other: a thread that waits too long for another one to take a
// slot goes on without.
static void take_all_slots(void) {
    pthread_t thread;
    pthread_attr_t attributes;
    MUST(!pthread_attr_init(&attributes) && !pthread_attr_setstacksize(&attributes, PTHREAD_STACK_MIN));
    MUST(!pthread_barrier_init(&has_slot, NULL, 2));
    for (int i = 1; i < SLOTS; i++) {
        MUST(!pthread_create(&thread, &attributes, keep_slot, NULL));
        pthread_barrier_wait(&has_slot);
    }
}

static void *measure(void *argument);

int main(int argc, char **argv) {
    (void)argc;
    signal(SIGPIPE, SIG_IGN);
    pthread_mutex_lock(&mutex);
    for (int i = 0; i < 20; i++)
        vectors[i] = (struct iovec){bytes + 1000 * i, i < 2 ? 32 : 3000};
    for (int i = 0; i < 2; i++)
        messages[i].msg_hdr = (struct msghdr){.msg_iov = vectors, .msg_iovlen = 1};
    MUST((zero = open("/dev/zero", O_RDONLY)) >= 0 && (null = open("/dev/null", O_WRONLY)) >= 0);
    MUST((file = open("a file", O_RDWR | O_CREAT, 0600)) >= 0 && write(file, bytes, 100) == 100);
    MUST((folder = open(".", O_RDONLY | O_DIRECTORY)) >= 0);
    MUST((stream = fopen("/dev/zero", "r")) != NULL && (event = eventfd(0, 0)) >= 0);
    MUST((unbuffered = fopen("/dev/null", "w")) != NULL && setvbuf(unbuffered, NULL, _IONBF, 0) == 0);
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, quiet) == 0);
    MUST(socketpair(AF_UNIX, SOCK_DGRAM, 0, datagrams) == 0 && pipe(pipes) == 0);
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, full) == 0);
    struct timeval soon = {0, 1000};
    MUST(setsockopt(datagrams[0], SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon) == 0);
    while (send(full[1], bytes, 1000, MSG_DONTWAIT) > 0)
        continue;
    MUST((epolls = epoll_create1(0)) >= 0);
    MUST(epoll_ctl(epolls, EPOLL_CTL_ADD, quiet[0], &(struct epoll_event){.events = EPOLLIN}) == 0);
    MUST((listener = socket(AF_INET, SOCK_STREAM, 0)) >= 0);
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    MUST(bind(listener, (void *)&here, sizeof here) == 0 && listen(listener, 100) == 0);
    if (is_asked(argv, "coroutine")) {
        runtime.flags = WEIR_COOP_MANY_WAITERS;
        MUST(weir_coop_register_if_present(&runtime) == 0);
    }
    taken = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    last = mmap(NULL, sizeof *last, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    setbuf(stdout, NULL);
    fill_environment();
    if (!is_asked(argv, "without a slot")) {
        measure(argv);
        return 0;
    }
    take_all_slots();
    pthread_t thread;
    MUST(!pthread_create(&thread, NULL, measure, argv) && !pthread_join(thread, NULL));
    return 0;
}

// Makes every call, and prints the stack that it takes.
static void *measure(void *argument) {
    char **argv = argument;
    getcontext(&other_context);
    other_context.uc_stack = (stack_t){.ss_sp = stack, .ss_size = STACK};
    makecontext(&other_context, on_it, 0);
    if (is_asked(argv, "sealed"))
        seal();
    int has_none = is_asked(argv, "without descriptors");
    // The descriptors up to 2 are open.
    if (has_none)
        MUST(setrlimit(RLIMIT_NOFILE, &(struct rlimit){3, 3}) == 0);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        if (calls[i].waits && (runtime.flags == 0 || has_none))
            continue;
        if (has_none && !wants_descriptor(calls[i].name))
            continue;
        to_call = calls[i].call;
        long most = 0;
        int times = strcmp(calls[i].name, "read") == 0 ? TIMES_OF_READ : TIMES;
        if (strstr(calls[i].name, "fork") != NULL || strstr(calls[i].name, "spawn") != NULL || strstr(calls[i].name, "exec") != NULL)
            times = TIMES_OF_PROCESSES;
        *taken = 0;
        for (int time = 0; time < times; time++) {
            if (strncmp(calls[i].name, "bind", 4) == 0)
                here.sin_port = 0;
            else if (strncmp(calls[i].name, "connect", 7) == 0)
                MUST(getsockname(listener, (void *)&here, &(socklen_t){sizeof here}) == 0);
            // The return address is directly below its frame.
            if (frame != NULL)
                memset(stack, 0x5a, frame - stack - 8);
            swapcontext(&main_context, &other_context);
            // The first calls also do what is done only once.
            if (time < 2)
                continue;
            long now = depth();
            if (now > most)
                most = now;
        }
        if (*taken > most)
            most = *taken;
        printf("%s %ld\n", calls[i].name, most);
    }
    return NULL;
}
