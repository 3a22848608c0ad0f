/* Step 3, the other party: a dlsym that allocates, as older versions of glibc had it.

   There dlsym called calloc for the place of its error message before it looked anything up. This one
   callocs a copy of each name it is asked for, keeps the last and frees the one before. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static char *_Atomic last;

/* The version that dlsym has had in glibc since this architecture came to it. */
#ifdef __x86_64__
#define FIRST_VERSION "GLIBC_2.2.5"
#else
#define FIRST_VERSION "GLIBC_2.17"
#endif

void *dlsym(void *restrict handle, const char *restrict name)
{
    void *(*next)(void *, const char *);
    size_t size = strlen(name) + 1;
    char *copy = calloc(1, size);

    if (copy != NULL)
        memcpy(copy, name, size);
    free(atomic_exchange(&last, copy));

    /* dlsym can't be found by dlsym here, that is us; dlvsym is another function and still libc's. */
    *(void **)&next = dlvsym(RTLD_NEXT, "dlsym", FIRST_VERSION);
    return next(handle, name);
}

/* Gives the last name away: the caller owns it now, and frees it. NULL when there is none. */
char *take_last_name(void)
{
    return atomic_exchange(&last, NULL);
}
