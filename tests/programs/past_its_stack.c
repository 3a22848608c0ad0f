// flags: -O1 -fno-builtin -fno-omit-frame-pointer -pthread
/* Unwind information that leads out of a stack: a function runs on a stack of its own, and its caller's frame seems to be in the page
 * above it, which is not part of the stack. Argument: what becomes of that page. */
#define _GNU_SOURCE
#include "system_call.h"
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>
#include "must.h"

/* Calls `function` with this stack pointer and this frame pointer. Its unwind information says that the caller's frame is found by the
 * frame pointer, as in any function that has one. */
void run_on(char *stack_pointer, char *frame_pointer, void (*function)(void));
#if defined(__x86_64__)
__asm__(".text\n.globl run_on\n.type run_on, @function\nrun_on:\n.cfi_startproc\n"
        "push %rbp\n.cfi_def_cfa rbp, 16\n.cfi_offset rbp, -16\npush %rbx\nmov %rsp, %rbx\n"
        "mov %rdi, %rsp\nmov %rsi, %rbp\ncall *%rdx\nmov %rbx, %rsp\npop %rbx\npop %rbp\nret\n.cfi_endproc\n.size run_on, .-run_on\n");
#elif defined(__aarch64__)
__asm__(".text\n.globl run_on\n.type run_on, @function\nrun_on:\n.cfi_startproc\n"
        "stp x29, x30, [sp, -32]!\nstr x19, [sp, 16]\n.cfi_def_cfa x29, 32\n.cfi_offset x29, -32\n.cfi_offset x30, -24\nmov x19, sp\n"
        "mov sp, x0\nmov x29, x1\nblr x2\nmov sp, x19\nldr x19, [sp, 16]\nldp x29, x30, [sp], 32\nret\n.cfi_endproc\n.size run_on, .-run_on\n");
#endif

enum { STACK_PAGES = 16, CALLS = 3000 };

static size_t page;
static int null;
static volatile int is_over;
static char *memory, *above;

static char *map(size_t pages) {
    char *mapped = mmap(NULL, pages * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    MUST(mapped != MAP_FAILED);
    return mapped;
}

static void call(void) {
    for (int i = 0; i < 3; i++)
        MUST(write(null, "abc", 3) == 3);
    free(malloc(100));
}

/* The frame of run_on's caller seems to begin in the last word of the stack, and to go on in the page above. */
static void calls_on_the_stack(int count) {
    for (int i = 0; i < count; i++)
        run_on(above - 2 * page - 256, above - sizeof(void *), call);
}

static void *takes_and_gives(void *unused) {
    while (!is_over) {
        MUST(system_call(SYS_mprotect, (long)above, (long)page, PROT_NONE, 0, 0, 0) == 0);
        MUST(system_call(SYS_mprotect, (long)above, (long)page, PROT_READ | PROT_WRITE, 0, 0, 0) == 0);
    }
    return unused;
}

static void on_stack(const char *what) {
    memory = map(STACK_PAGES + 1);
    above = memory + STACK_PAGES * page;
    memset(memory, 0, STACK_PAGES * page);
    if (!strcmp(what, "never_filled")) {
        int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
        MUST(fd >= 0);
        struct uffdio_api api = {.api = UFFD_API};
        MUST(!ioctl(fd, UFFDIO_API, &api));
        struct uffdio_register of = {.range = {(uintptr_t)above, page}, .mode = UFFDIO_REGISTER_MODE_MISSING};
        MUST(!ioctl(fd, UFFDIO_REGISTER, &of));
        calls_on_the_stack(CALLS);
        return;
    }
    memset(above, 0, page);
    calls_on_the_stack(CALLS);
    if (!strcmp(what, "protected")) {
        MUST(!mprotect(above, page, PROT_NONE));
    } else if (!strcmp(what, "unmapped")) {
        MUST(!munmap(above, page));
    } else if (!strcmp(what, "unmapped_unseen")) {
        MUST(!system_call(SYS_munmap, (long)above, (long)page, 0, 0, 0, 0));
    } else {
        MUST(!strcmp(what, "protected_meanwhile"));
        pthread_t other;
        MUST(!pthread_create(&other, NULL, takes_and_gives, NULL));
        calls_on_the_stack(30 * CALLS);
        is_over = 1;
        MUST(!pthread_join(other, NULL));
        return;
    }
    calls_on_the_stack(CALLS);
}

/* The stack is in the thread's own. */
static void *within_own(void *unused) {
    char room[(STACK_PAGES + 2) * page];
    above = (char *)(((uintptr_t)room + (STACK_PAGES + 1) * page) & ~(page - 1));
    memset(room, 0, sizeof room);
    calls_on_the_stack(CALLS);
    MUST(!mprotect(above, page, PROT_NONE));
    calls_on_the_stack(CALLS);
    MUST(!mprotect(above, page, PROT_READ | PROT_WRITE));
    return unused;
}

/* Where the C library or the kernel goes on after a handler. */
static volatile uintptr_t behind_handlers;

/* Words of run_on's frame above its return address, and where the kernel has the next instruction above them (sigreturn(2)). */
#if defined(__x86_64__)
enum { FRAME_WORDS = 1, INSTRUCTION = offsetof(ucontext_t, uc_mcontext.gregs[REG_RIP]) };
#elif defined(__aarch64__)
enum { FRAME_WORDS = 3, INSTRUCTION = 128 + offsetof(ucontext_t, uc_mcontext.pc) };
#endif

/* The caller of run_on seems to be the kernel, which called a signal handler: what that interrupted was on a stack that is gone. */
static void behind_a_handler(void) {
    memory = map(STACK_PAGES);
    above = memory + (STACK_PAGES - 2) * page;
    char *gone = map(2);
    uintptr_t *frame = (uintptr_t *)above;
    frame[0] = behind_handlers;
    /* Whatever the layout: all registers lead there, but for the next instruction. */
    for (int i = 1; i < 600; i++)
        frame[i] = (uintptr_t)gone + page / 2;
    uintptr_t *instruction = (uintptr_t *)((char *)(frame + FRAME_WORDS) + INSTRUCTION);
    *instruction = (uintptr_t)call;
    MUST(!munmap(gone, 2 * page));
    calls_on_the_stack(CALLS);
}

static void handler(int unused) {
    (void)unused;
    behind_handlers = (uintptr_t)__builtin_return_address(0);
}

int main(int count, char **arguments) {
    MUST(count == 2);
    page = (size_t)sysconf(_SC_PAGESIZE);
    null = open("/dev/null", O_WRONLY);
    MUST(null >= 0);
    if (!strcmp(arguments[1], "behind_a_handler")) {
        MUST(signal(SIGUSR1, handler) != SIG_ERR);
        raise(SIGUSR1);
        behind_a_handler();
    } else if (!strcmp(arguments[1], "within_own")) {
        within_own(NULL);
        pthread_t other;
        MUST(!pthread_create(&other, NULL, within_own, NULL) && !pthread_join(other, NULL));
    } else {
        on_stack(arguments[1]);
    }
    puts("done");
    return 0;
}
