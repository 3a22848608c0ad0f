// flags: -O1 -fno-builtin -pthread -Wl,-z,now @counting
/* A signal handler makes the very first calls of each thread, on an alternative stack of SIGSTKSZ's traditional
 * size: 8 KiB, of which the kernel takes about half. */
#include "witness.h"
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>

static int null;
static size_t page;
static __thread volatile sig_atomic_t handled;

static void handler(int signal) {
    (void)signal;
    MUST(MOVE(write, 3, write(null, "abc", 3)) == 3);
    MUST(MOVE(read, 3, read(-1, NULL, 3)) < 0);
    handled = 1;
}

static void *thread(void *argument) {
    char *memory = argument;
    /* A page that faults is below it. */
    stack_t stack = {.ss_sp = memory + page, .ss_size = 8192};
    MUST(!sigaltstack(&stack, NULL));
    raise(SIGUSR1);
    MUST(handled);
    return NULL;
}

int main(void) {
    count_again();
    page = (size_t)sysconf(_SC_PAGESIZE);
    null = (int)TRY(open, open("/dev/null", O_WRONLY));
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
    MUST(!TRY(sigaction, sigaction(SIGUSR1, &action, NULL)));
    for (int i = 0; i < 50; i++) {
        pthread_t other;
        const int both = PROT_READ | PROT_WRITE;
        char *memory = (char *)SIZED(mmap, page + 8192, (long)mmap(NULL, page + 8192, both, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        MUST(memory != MAP_FAILED && !SIZED(mprotect, page, mprotect(memory, page, PROT_NONE)));
        MUST(!pthread_create(&other, NULL, thread, memory));
        MUST(!pthread_join(other, NULL));
    }
    tell_counted();
    return 0;
}
