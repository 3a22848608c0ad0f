// flags: -O2 -fomit-frame-pointer -fno-optimize-sibling-calls -pthread -ldl
// Allocates in one function, `taken`, on stacks of many kinds. Before each allocation the C library's own unwinder says
// what the stack is. At the end it prints how often `taken` was called from each stack: the number, and each return
// address as object+offset, from the innermost caller on.
#define _GNU_SOURCE
#include <alloca.h>
#include <dlfcn.h>
#include <execinfo.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

enum { DEPTH = 512, STACKS = 4096 };

static struct {
    void *frames[DEPTH];
    int depth;
    long count;
} *stacks;
static int used;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

__attribute__((noinline)) static void note(void **frames, int depth) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    pthread_mutex_lock(&lock);
    int at = 0;
    for (; at < used; at++)
        if (stacks[at].depth == depth && memcmp(stacks[at].frames, frames, depth * sizeof *frames) == 0)
            break;
    if (at == used) {
        if (used++ == STACKS)
            abort();
        stacks[at].depth = depth;
        memcpy(stacks[at].frames, frames, depth * sizeof *frames);
    }
    stacks[at].count++;
    pthread_mutex_unlock(&lock);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static __thread void *seen[DEPTH];

// The only function that allocates what is counted.
__attribute__((noinline)) void *taken(size_t size) {
    int depth = backtrace(seen, DEPTH);
    if (depth < 2 || depth == DEPTH)
        abort();
    note(seen + 1, depth - 1);
    void *block = malloc(size);
    memset(block, 1, size);
    return block;
}

__attribute__((noinline)) static void use(size_t size) {
    free(taken(size));
    __asm__ volatile("");
}

__attribute__((noinline)) static int recurse(int depth, size_t size) {
    if (depth == 0) {
        use(size);
        return 1;
    }
    int result = recurse(depth - 1, size) + 1;
    __asm__ volatile("" : "+r"(result));
    return result;
}

// A frame whose size is known only as it runs: the frame pointer leads to the caller.
__attribute__((noinline)) static void with_alloca(int size) {
    char *room = alloca(size);
    memset(room, 0, size);
    use(room[0] + 24);
    recurse(size % 3, 40);
}

// A frame that is aligned as it runs, beside arguments on the stack: the caller is found through a word of the frame.
__attribute__((noinline)) static int aligned(int a, int b, int c, int d, int e, int f, int g, int h, int size) {
    char room[128] __attribute__((aligned(64)));
    char *more = alloca(size);
    memset(room, a + b + c + d, sizeof room);
    memset(more, e + f + g + h, size);
    use(room[1] + 64);
    __asm__ volatile("" : : "r"(room), "r"(more) : "memory");
    return room[3] + more[1];
}

// A frame too large for the shortest form of a rule.
__attribute__((noinline)) static void huge(int depth) {
    char room[200000];
    memset(room, depth, 10);
    __asm__ volatile("" : : "r"(room) : "memory");
    use(48);
    if (depth > 0)
        huge(depth - 1);
    __asm__ volatile("" : : "r"(room) : "memory");
}

static int compare(const void *left, const void *right) {
    if (*(const int *)left % 7 == 0)
        use(16);
    return *(const int *)left - *(const int *)right;
}

static jmp_buf place;

__attribute__((noinline)) static void leave(int depth) {
    use(33);
    if (depth == 0)
        longjmp(place, 1);
    leave(depth - 1);
    __asm__ volatile("");
}

static void *restorer; // Where a handler returns to.

static void handler(int signal) {
    restorer = __builtin_return_address(0);
    recurse(signal % 3, 24);
}

static ucontext_t home, routine;
static int turns;

static void coroutine(void) {
    for (int turn = 0; turn < turns; turn++) {
        recurse(turn % 4, 56);
        swapcontext(&routine, &home);
    }
}

static void coroutines(int rounds) {
    size_t bytes = 256 * 1024;
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(memory, 4096, PROT_NONE);
    turns = rounds;
    getcontext(&routine);
    routine.uc_stack.ss_sp = memory + 4096;
    routine.uc_stack.ss_size = bytes - 4096;
    routine.uc_link = &home;
    makecontext(&routine, coroutine, 0);
    for (int turn = 0; turn < rounds + 1; turn++) {
        swapcontext(&home, &routine);
        use(20);
    }
    munmap(memory, bytes);
}

static void everything(int round) {
    for (int depth = 0; depth < 12; depth++)
        recurse(depth * 3, 16 + depth);
    recurse(200, 32);
    for (int size = 1; size < 2000; size += 397)
        with_alloca(size);
    aligned(1, 2, 3, 4, 5, 6, 7, 8, 100 + round);
    huge(3);
    int numbers[64];
    for (int index = 0; index < 64; index++)
        numbers[index] = (index * 37 + round) % 101;
    qsort(numbers, 64, sizeof *numbers, compare);
}

static void *thread(void *unused) {
    for (int round = 0; round < 20; round++)
        everything(round);
    return unused;
}

static void print_all(void) {
    for (int at = 0; at < used; at++) {
        printf("%ld", stacks[at].count);
        for (int frame = 0; frame < stacks[at].depth; frame++) {
            Dl_info info;
            // Of an instruction that was interrupted Weir has the address behind it, as of a call.
            if (frame > 0 && stacks[at].frames[frame - 1] == restorer)
                stacks[at].frames[frame] = (char *)stacks[at].frames[frame] + 1;
            if (dladdr((char *)stacks[at].frames[frame] - 1, &info) == 0)
                printf(" ?+%lx", (unsigned long)stacks[at].frames[frame]);
            else
                printf(" %s+%lx", strrchr(info.dli_fname, '/') ? strrchr(info.dli_fname, '/') + 1 : info.dli_fname,
                       (unsigned long)((char *)stacks[at].frames[frame] - (char *)info.dli_fbase));
        }
        printf("\n");
    }
    fflush(stdout);
}

int main(int argc, char **argv) {
    const char *end = argc > 1 ? argv[1] : "";
    stacks = mmap(NULL, STACKS * sizeof *stacks, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    // The unwinder allocates when it is first used.
    backtrace(seen, DEPTH);
    for (int round = 0; round < 30; round++)
        everything(round);
    for (int round = 0; round < 50; round++)
        if (setjmp(place) == 0)
            leave(round % 5);
    struct sigaction action = {.sa_handler = handler};
    sigaction(SIGUSR1, &action, NULL);
    for (int round = 0; round < 20; round++)
        raise(SIGUSR1);
    stack_t alternative = {.ss_sp = malloc(64 * 1024), .ss_size = 64 * 1024};
    sigaltstack(&alternative, NULL);
    action.sa_flags = SA_ONSTACK;
    sigaction(SIGUSR2, &action, NULL);
    for (int round = 0; round < 20; round++)
        raise(SIGUSR2);
    coroutines(12);
    coroutines(7);
    pthread_t threads[8];
    for (int index = 0; index < 8; index++)
        pthread_create(&threads[index], NULL, thread, NULL);
    for (int index = 0; index < 8; index++)
        pthread_join(threads[index], NULL);
    print_all();
    if (strcmp(end, "killed") == 0)
        raise(SIGKILL);
    return 0;
}
