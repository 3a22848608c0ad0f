// flags: -O1 -fno-builtin -pthread -Wl,-z,now
// Threads that allocate, read and write, under two timers. The handler does the same on an alternative stack, which
// has 512 bytes more than the kernel needs. A page that faults is below it.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

enum { ROOM = 512, THREADS = 3, ROUNDS = 200 };

static int source, sink;
static volatile sig_atomic_t is_over;
static __thread volatile sig_atomic_t is_allocating; // The heap must not be entered twice.

static void work(void) {
    char bytes[16];
    if (!is_allocating) {
        is_allocating = 1;
        free(malloc(99));
        is_allocating = 0;
    }
    if (read(source, bytes, sizeof bytes) != sizeof bytes || write(sink, bytes, sizeof bytes) != sizeof bytes)
        abort();
}

static void handler(int signal) {
    (void)signal;
    int before = errno;
    work();
    errno = before;
}

static void *thread(void *unused) {
    size_t page = getauxval(AT_PAGESZ), size = getauxval(AT_MINSIGSTKSZ) + ROOM;
    char *memory = mmap(NULL, page + size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED || mprotect(memory, page, PROT_NONE) != 0)
        abort();
    stack_t stack = {.ss_sp = memory + page, .ss_size = size};
    if (sigaltstack(&stack, NULL) != 0)
        abort();
    while (!is_over)
        work();
    is_allocating = 1; // The C library frees at the end of a thread.
    return unused;
}

int main(void) {
    is_allocating = 1; // pthread_create allocates.
    source = open("/dev/zero", O_RDONLY);
    sink = open("/dev/null", O_WRONLY);
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART | SA_ONSTACK};
    sigfillset(&action.sa_mask);
    sigaction(SIGALRM, &action, NULL);
    sigaction(SIGPROF, &action, NULL);
    struct itimerval often = {{0, 100}, {0, 100}}, never = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &often, NULL);
    setitimer(ITIMER_PROF, &often, NULL);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, thread, NULL) != 0)
            abort();
    for (int i = 0; i < ROUNDS; i++)
        usleep(5000);
    is_over = 1;
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    setitimer(ITIMER_REAL, &never, NULL);
    setitimer(ITIMER_PROF, &never, NULL);
    return 0;
}
