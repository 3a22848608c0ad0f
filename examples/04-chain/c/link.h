/* A link of the chain: says whom it calls, calls, and says what came back. ME is the name of the library
   that it is compiled into: red or blue. */
#define _GNU_SOURCE
#include <string.h>

#include "../../common/c/next.h"

static struct next next = {.name = "rand"};

/* The file name of the library that an address lies in. */
static const char *library_of(void *address)
{
    Dl_info info;

    if (dladdr(address, &info) == 0)
        return "unknown";
    const char *slash = strrchr(info.dli_fname, '/');
    return slash != NULL ? slash + 1 : info.dli_fname;
}

int rand(void)
{
    int (*real)(void);

    *(void **)&real = next_address(&next);
    say(ME ": rand() called, next is %s", library_of(next_address(&next)));
    int number = real();
    say(ME ": rand() returns %d", number);
    return number;
}
