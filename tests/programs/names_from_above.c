// flags: -O1 -pthread
/* A thread creates files, each of another name, and so does the signal handler that interrupts it. The handler's stack is
 * above the thread's own. Prints how many files they created. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

enum { STACK = 256 * 1024, BY_THREAD = 3000, LATEST = 40 };

static volatile int by_handler;

static void create(char letter, int number) {
    char name[] = "x000000";
    name[0] = letter;
    for (int at = 6; at > 0; at--, number /= 10)
        name[at] = '0' + number % 10;
    if (close(open(name, O_CREAT | O_WRONLY, 0600)) != 0 || unlink(name) != 0)
        abort();
}

static void handler(int signal) {
    (void)signal;
    int before = errno;
    create('h', by_handler++);
    errno = before;
}

static void *thread(void *top) {
    stack_t stack = {.ss_sp = top, .ss_size = STACK};
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK | SA_RESTART};
    sigset_t alarms;
    sigemptyset(&alarms);
    sigaddset(&alarms, SIGALRM);
    if (sigaltstack(&stack, NULL) || sigaction(SIGALRM, &action, NULL) ||
        pthread_sigmask(SIG_UNBLOCK, &alarms, NULL))
        abort();
    for (int number = 0; number < BY_THREAD; number++) {
        struct itimerval once = {{0, 0}, {0, 1 + number % LATEST}};
        if (setitimer(ITIMER_REAL, &once, NULL))
            abort();
        create('t', number);
    }
    struct itimerval never = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &never, NULL);
    printf("%d\n", BY_THREAD + by_handler);
    return NULL;
}

int main(void) {
    char *memory = mmap(NULL, 2 * STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pthread_attr_t attributes;
    pthread_t other;
    sigset_t all;
    sigfillset(&all);
    if (memory == MAP_FAILED || pthread_attr_init(&attributes) || pthread_attr_setstack(&attributes, memory, STACK) ||
        pthread_sigmask(SIG_BLOCK, &all, NULL) || pthread_create(&other, &attributes, thread, memory + STACK) ||
        pthread_join(other, NULL))
        abort();
    return 0;
}
