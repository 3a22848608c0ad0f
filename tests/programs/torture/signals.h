/* Signals of the torture program, and what handlers do: the same as other code, if it is safe there. */
#ifndef SIGNALS_H
#define SIGNALS_H

#include "children.h"

enum { THREADS = 8, SIGNALS = 3 };

/* With SA_RESTART; without it; on the alternative stack. */
static const int numbers[SIGNALS] = {SIGUSR1, SIGUSR2, SIGURG};

static struct self selves[THREADS];

/* Sends a signal to a thread of this process, which may have ended. */
static void send_signal(int tid) {
    if (tid)
        BARE3(tgkill, own_pid(), tid, numbers[below(SIGNALS)]);
}

static void handler(int number) {
    (void)number;
    if (!me || me->in_handler > 1)
        return;
    struct call interrupted_call = {current.function, current.most};
    int errno_ = errno, noted = is_noting, is_first = !me->in_handler++;
    int interrupted = me->in_safe_step, holds_no_lock = is_first && interrupted;
    me->in_safe_step = 0;
    switch (below(8)) {
    case 0:
        child_step(holds_no_lock);
        break;
    case 1:
        /* The child returns to the interrupted call. */
        if (holds_no_lock && !noted && !me->is_child && me->depth < 5 && may_make_process()) {
            long room = bare(SYS_mmap, 0, CHILD_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            int pid = make_child(1, (char *)room + CHILD_STACK);
            if (!pid) {
                /* The child makes the interrupted call, if its parent had not reached it yet. */
                add_begun(interrupted_call.function, interrupted_call.most);
                me->is_child = 1;
            } else if (pid > 0)
                reap(pid);
            BARE2(munmap, room, CHILD_STACK);
        }
        break;
    case 2:
        send_signal(own_tid());
        safe_step();
        break;
    case 3:
    case 4:
        if (holds_no_lock && me->may_jump) {
            me->in_handler = is_noting = 0;
            siglongjmp(me->back, 1);
        }
        break;
    default:
        safe_step();
    }
    current.function = interrupted_call.function;
    current.most = interrupted_call.most;
    me->in_safe_step = interrupted;
    me->in_handler--;
    is_noting = noted;
    errno = errno_;
}

static void install_handlers(void) {
    static const int flags[SIGNALS] = {SA_RESTART, 0, SA_RESTART | SA_ONSTACK};
    for (int i = 0; i < SIGNALS; i++) {
        struct sigaction action = {.sa_handler = handler, .sa_flags = flags[i]};
        MUST(!CALL(sigaction, sigaction(numbers[i], &action, NULL)));
    }
    CALL(signal, signal(SIGPIPE, SIG_IGN));
}

/* To this thread, or to any. */
static void signal_step(void) {
    if (me->may == ANYTHING && is_threaded)
        send_signal(LOAD(selves[below(THREADS)].tid));
    else
        send_signal(own_tid());
}

/* A place to which handlers jump. */
static void jump_step(void) {
    if (!sigsetjmp(me->back, 1)) {
        me->may_jump = 1;
        for (int i = below(4); i >= 0; i--) {
            interruptible_step();
            me->in_safe_step = 1;
            send_signal(own_tid());
            me->in_safe_step = 0;
            if (me->is_child)
                life_of_child();
        }
    }
    me->may_jump = me->in_safe_step = 0;
    if (me->is_child)
        life_of_child();
}

/* Uses an alternative stack for a moment. */
static void stack_step(void) {
    size_t size = (size_t)sysconf(_SC_MINSIGSTKSZ) + 65536;
    void *room = CALL(mmap, mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (room == MAP_FAILED)
        return;
    stack_t stack = {.ss_sp = room, .ss_size = size}, none = {.ss_flags = SS_DISABLE};
    MUST(!sigaltstack(&stack, NULL));
    me->in_safe_step = 1;
    BARE3(tgkill, own_pid(), own_tid(), numbers[2]);
    me->in_safe_step = 0;
    if (me->is_child)
        life_of_child();
    MUST(!sigaltstack(&none, NULL));
    CALL(munmap, munmap(room, size));
}

#endif
