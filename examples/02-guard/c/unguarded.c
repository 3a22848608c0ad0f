/* Step 2, the wrong way: a hook of malloc that prints, and never comes back. */
#define _GNU_SOURCE
#include "../../common/c/next.h"

/* Room for "malloc(" and any size. */
enum { TEXT = 32 };

static struct next next = {.name = "malloc"};

void *malloc(size_t size)
{
    /* This line is safe, it needs no memory. It shows how often we get here. */
    say("malloc: entered");

    /* This one is the fault: a text of our own is memory, memory comes from malloc, and malloc is us. */
    char *text = malloc(TEXT);
    if (text != NULL) {
        snprintf(text, TEXT, "malloc(%zu)", size);
        say("%s", text);
        free(text);
    }

    void *(*real)(size_t);
    *(void **)&real = next_address(&next);
    return real(size);
}
