// flags: -O1 -fno-builtin -D_GNU_SOURCE
/* Frees blocks that a library makes which is bound to the C library's own malloc. Its path is the argument. */
#include <dlfcn.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    void *library = argc == 2 ? dlopen(argv[1], RTLD_NOW | RTLD_DEEPBIND) : NULL;
    if (!library)
        return 1;
    void *(*made_here)(size_t) = (void *(*)(size_t))dlsym(library, "made_here");
    if (!made_here)
        return 2;
    for (int i = 0; i < 1000; i++)
        free(made_here(1000));
    return 0;
}
