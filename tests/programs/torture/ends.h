/* The life of an image of the torture program, and its ends, from anywhere. */
#ifndef ENDS_H
#define ENDS_H

#include "threads.h"

static int is_root, root_pid;

static void note_end(void) {
    int fd = CALL(open, open("/dev/null", O_WRONLY | O_CLOEXEC));
    MOVE(write, 7, write(fd, "the end", 7));
    CALL(close, close(fd));
}

static void before_fork(void) { MOVE(write, 6, write(-1, "before", 6)); }
static void after_fork(void) { MOVE(write, 5, write(-1, "after", 5)); }

__attribute__((destructor)) static void destructor(void) {
    if (account)
        MOVE(write, 4, write(-1, "last", 4));
}

static void prepare_ends(void) {
    atexit(note_end);
    at_quick_exit(note_end);
    pthread_atfork(before_fork, after_fork, after_fork);
}

/* Ends the image. Only one thread does that. */
static __attribute__((noreturn)) void end_by(int way) {
    int status = 1 + below(100);
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    is_ender = 1;
    if (is_root && own_pid() == root_pid) {
        int how = way == 6 ? SIGNALED + SIGKILL : way == 7 ? SIGNALED + SIGABRT : status;
        STORE(account->root_end, (uint64_t)how);
    }
    mean_to_end(status);
    switch (way) {
    case 0:
    case 1: exit(status);
    case 2: LAST(_exit, _exit(status)); break;
    case 3: LAST(_Exit, _Exit(status)); break;
    case 4: LAST(quick_exit, quick_exit(status)); break;
    case 5: LAST(syscall, syscall(SYS_exit_group, status)); break;
    case 6:
        mean_to_end(SIGNALED + SIGKILL);
        BARE2(kill, own_pid(), SIGKILL);
        break;
    case 7:
        mean_to_end(SIGNALED + SIGABRT);
        abort();
    default:
        execute(4 + below(10), 0);
    }
    wrong("it goes on after its end", (uint64_t)way, 0);
    for (;;)
        BARE1(exit_group, 255);
}

/* For a thread of an image that has other threads. */
static int ends_anywhere;
static void may_end_here(void) {
    if (LOAD(ends_anywhere) && one_in(12) && !__atomic_exchange_n(&ending, 1, __ATOMIC_SEQ_CST))
        end_by(me->depth < 4 ? below(9) : below(8));
}

static void image_step(void) {
    switch (below(20)) {
    case 0:
    case 1:
    case 2: child_step(1); break;
    case 3: fail_to_execute(); break;
    case 4:
    case 5: signal_step(); break;
    case 6: stdio_step(); break;
    case 7: folder_step(); break;
    case 8:
        if (one_in(4) && may_make_process())
            shell_step();
        break;
    case 9: plugin_step(); break;
    case 10: talk_step(); break;
    case 11: cancel_step(); break;
    case 12: one_in(2) ? short_thread_step() : small_thread_step(); break;
    case 13: jump_step(); break;
    case 14: stack_step(); break;
    case 15:
    case 16: allocation_step(); break;
    default: interruptible_step();
    }
}

/* What an image does at first with one thread; it may keep to that. */
static void lonely_step(void) {
    switch (below(10)) {
    case 0:
    case 1: child_step(1); break;
    case 2: fail_to_execute(); break;
    case 3: signal_step(); break;
    case 4: stdio_step(); break;
    case 5: plugin_step(); break;
    case 6: jump_step(); break;
    case 7: stack_step(); break;
    case 8: allocation_step(); break;
    default: interruptible_step();
    }
}

static struct worker workers[THREADS];
static int started;

static void life_of_image(int steps) {
    int alone = below(steps) + 1;
    for (int i = 0; i < alone; i++)
        lonely_step();
    if (one_in(4))
        return;
    int threads = below(THREADS - 1) + 1, is_here = own_pid() == root_pid;
    STORE(ends_anywhere, !is_here && one_in(2));
    for (started = 0; started < threads; started++) {
        struct self *self = &selves[started + 1];
        *self = (struct self){.random = any() | 1, .may = ANYTHING, .depth = me->depth};
        workers[started] = (struct worker){self, steps};
        if (start_thread(&self->thread, worker, &workers[started], 256 * 1024))
            break;
    }
    for (int i = 0; i < steps; i++) {
        image_step();
        may_end_here();
    }
}

/* The threads run until they are done, or until one ends the image. The very first process waits for all others,
 * so that its parent does not have to. */
static __attribute__((noreturn)) void end_image(int is_first) {
    sigset_t all;
    sigfillset(&all);
    if (!is_first && started && !LOAD(ends_anywhere) && one_in(3)) {
        /* The last thread ends the process. */
        pthread_sigmask(SIG_SETMASK, &all, NULL);
        STORE(me->tid, 0);
        mean_to_end(0);
        pthread_exit(NULL);
    }
    for (int i = 0; i < started; i++)
        MUST(!pthread_join(selves[i + 1].thread, NULL));
    if (is_first) {
        int status;
        long pid;
        while ((pid = BARE4(wait4, -1, &status, __WALL, 0)) > 0 || pid == -EINTR)
            if (pid > 0)
                check_end((int)pid, status);
    }
    if (__atomic_exchange_n(&ending, 1, __ATOMIC_SEQ_CST))
        for (;;)
            BARE4(ppoll, 0, 0, 0, 0);
    end_by(below(!is_first && me->depth < 4 ? 9 : 8));
}

#endif
