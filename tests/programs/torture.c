// flags: -O1 -fno-builtin -pthread -Wl,-z,now
/* Does everything that programs do to their process, in random order, and keeps an account of it. Threads
 * allocate, do I/O, make processes in every way, execute programs or fail to, send signals, cancel and jump.
 * Images end from anywhere.
 *
 *     torture ACCOUNT PLUGIN SEED STEPS PROCESSES    runs, in the working directory
 *     torture tell ACCOUNT                           prints: name, calls (least, most), bytes moved (least, most)
 *
 * The program is right by itself: it never hangs, and each of its processes checks that its children ended as they
 * announced. It ends as the line "end" of its account says: with a status, or with 256 plus the number of a
 * signal. */
#include "torture/account.h"
#include "torture/calls.h"
#include "torture/children.h"
#include "torture/signals.h"
#include "torture/threads.h"
#include "torture/ends.h"

#include <sys/prctl.h>
#include <sys/resource.h>

/* What a child process of this program does. */
static void life_of_child(void) {
    me->tid = own_tid();
    me->depth++;
    me->is_child = me->in_safe_step = me->may_jump = 0;
    STORE(ending, 0);
    is_ender = 0;
    if (me->may == ANYTHING) {
        me->in_handler = 0;
        life_of_image(4 + below(10));
        end_image(0);
    }
    for (int i = below(6); i >= 0; i--)
        switch (below(8)) {
        case 0: child_step(0); break;
        case 1: fail_to_execute(); break;
        case 2: signal_step(); break;
        case 3:
            if (me->may == ALLOCATE)
                allocation_step();
            break;
        case 4:
            if (me->may == ALLOCATE && !me->in_handler)
                stdio_step();
            break;
        case 5:
            if (one_in(6) && me->depth < 4)
                execute(4 + below(10), 0);
            break;
        default: interruptible_step();
        }
    end_alone();
}

static void first_of_image(uint64_t seed, int depth) {
    sigset_t none;
    sigemptyset(&none);
    me = &selves[0];
    *me = (struct self){.random = seed * 0x9e3779b97f4a7c15U | 1, .may = ANYTHING, .tid = own_tid(), .depth = depth};
    for (int i = 0; i < 4; i++)
        any();
    install_handlers();
    sigprocmask(SIG_SETMASK, &none, NULL);
    prepare_ends();
    prepare_threads();
}

int main(int argc, char **argv) {
    if (argc == 3 && !strcmp(argv[1], "tell")) {
        if (attach(argv[2]))
            return perror(argv[2]), 2;
        tell();
        return 0;
    }
    if (argc == 7 && !strcmp(argv[1], "image")) {
        executable = argv[0];
        account_path = argv[2];
        plugin = getenv("TORTURE_PLUGIN");
        if (attach(account_path))
            return perror(account_path), 2;
        int function = atoi(argv[6]);
        if (function < FUNCTIONS)
            finish(function);
        first_of_image(strtoul(argv[3], NULL, 10), atoi(argv[5]));
        life_of_image(atoi(argv[4]));
        end_image(0);
    }
    if (argc != 6)
        return fprintf(stderr, "usage: torture ACCOUNT PLUGIN SEED STEPS PROCESSES\n"), 2;
    struct rlimit no_core = {0, 0};
    executable = argv[0];
    account_path = argv[1];
    plugin = argv[2];
    if (attach(account_path) || setenv("TORTURE_PLUGIN", plugin, 1) || setrlimit(RLIMIT_CORE, &no_core))
        return perror(account_path), 2;
    account->processes_left = atoi(argv[5]);
    is_root = 1;
    root_pid = own_pid();
    /* A process whose parent has ended becomes a child of this one. */
    CALL(prctl, prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
    first_of_image(strtoul(argv[3], NULL, 10), 0);
    life_of_image(atoi(argv[4]));
    end_image(1);
}
