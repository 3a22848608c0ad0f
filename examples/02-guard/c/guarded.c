/* Step 2: the same hook, with a guard. It still prints, and it comes back. */
#define _GNU_SOURCE
#include <stdbool.h>

#include "../../common/c/next.h"

/* Room for "malloc(" and any size. */
enum { TEXT = 32 };

static struct next next = {.name = "malloc"};
static _Atomic unsigned long of_the_program;
static _Atomic unsigned long of_our_own;

/* Is this thread inside our own bookkeeping? */
static _Thread_local bool inside;

void *malloc(size_t size)
{
    if (inside) {
        atomic_fetch_add_explicit(&of_our_own, 1, memory_order_relaxed);
    } else {
        inside = true;
        atomic_fetch_add_explicit(&of_the_program, 1, memory_order_relaxed);
        char *text = malloc(TEXT);
        if (text != NULL) {
            snprintf(text, TEXT, "malloc(%zu)", size);
            say("%s", text);
            free(text);
        }
        inside = false;
    }

    /* Outside the guard: the real call is the program's, not ours. */
    void *(*real)(size_t);
    *(void **)&real = next_address(&next);
    return real(size);
}

__attribute__((destructor)) static void at_exit(void)
{
    say("malloc was called %lu times by the program, %lu times by this hook", of_the_program, of_our_own);
}
