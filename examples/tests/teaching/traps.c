/* One trap of the page per argument, with the allocations that count_malloc shall count. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void allocate(void *(*allocator)(size_t))
{
    for (int i = 0; i < 50; i++)
        free(allocator(8));
}

static void *(*libc_malloc(void *handle))(size_t)
{
    void *(*found)(size_t);
    *(void **)&found = dlsym(handle, "malloc");
    return found;
}

int main(int argc, char **argv)
{
    const char *trap = argc > 1 ? argv[1] : "";

    if (strcmp(trap, "symbol-found") == 0) {
        return dlsym(RTLD_DEFAULT, "puts") == NULL;
    }
    if (strcmp(trap, "symbol-missing") == 0) {
        return dlsym(RTLD_DEFAULT, "no_such_function") != NULL;
    }
    if (strcmp(trap, "pending-error") == 0) {
        dlsym(RTLD_DEFAULT, "no_such_function");
        free(malloc(8));
        const char *error = dlerror();
        error = error ? error : "the error is gone\n";
        return write(STDOUT_FILENO, error, strlen(error)) < 0;
    }
    if (strcmp(trap, "default-handle") == 0) {
        allocate(libc_malloc(RTLD_DEFAULT));
        return 0;
    }
    if (strcmp(trap, "own-handle") == 0) {
        void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
        allocate(libc_malloc(libc));
        return 0;
    }
    if (strcmp(trap, "hidden-version") == 0) {
        return !(dlsym(RTLD_DEFAULT, "cfree") == NULL
                 && dlvsym(RTLD_DEFAULT, "cfree", argv[2]) != NULL);
    }
    return 64;
}
