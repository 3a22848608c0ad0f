// flags: -O1 -fno-builtin -pthread @counting
/* Makes some calls, prints its account, and ends in the way that its argument names. */
#include "witness.h"
#include <pthread.h>
#include <signal.h>

static void *ends_the_process(void *unused) {
    (void)unused;
    drop(make(10));
    tell_counted();
    exit(7);
}

static void at_quick_exit_writes(void) { MUST(write(1, "quick\n", 6) == 6); }

int main(int argc, char **argv) {
    count_again();
    MUST(argc == 2);
    const char *way = argv[1];
#define IS(name) (!strcmp(way, name))
    for (size_t i = 1; i <= 50; i++)
        MUST(make(i * 10));
    MUST(MOVE(write, 6, write(1, "hello\n", 6)) == 6);
    MUST(MOVE(read, 1, read(987, &way, 1)) < 0);

    if (IS("_exit") || IS("_Exit")) {
        note_call(IS("_exit") ? DOES__exit : DOES__Exit);
        tell_counted();
        if (IS("_exit"))
            _exit(7);
        _Exit(7);
    }
    if (IS("quick_exit")) {
        MUST(!at_quick_exit(at_quick_exit_writes));
        note_call(DOES_quick_exit);
        MOVE(write, 6, 6); /* the handler's call, which is still to come */
        tell_counted();
        quick_exit(7);
    }
    if (IS("exit_in_thread")) {
        pthread_t thread;
        MUST(!pthread_create(&thread, NULL, ends_the_process, NULL));
        /* Nothing that counts: the other thread may give the account before or after it. */
        for (;;)
            bare(SYS_sched_yield, 0, NULL, 0);
    }
    if (IS("pthread_exit")) {
        /* pthread_exit loads a library, which allocates: the account is printed after that. */
        MUST(!atexit(tell_counted));
        pthread_exit(NULL);
    }
    tell_counted();
    if (IS("return"))
        return 7;
    if (IS("exit"))
        exit(7);
    if (IS("bare_system_call"))
        bare(SYS_exit_group, 7, NULL, 0);
    if (IS("abort"))
        abort();
    if (IS("segmentation_fault"))
        *(volatile int *)8 = 1;
    if (IS("SIGTERM"))
        raise(SIGTERM);
    if (IS("SIGKILL"))
        raise(SIGKILL);
    return 99;
}
