// flags: -O1 -fno-builtin -D_GNU_SOURCE
/* Loads the library of its argument, which is bound to the C library's own malloc, and frees its blocks. With
 * "there", the library frees blocks of the program. With "ordinary", the library is loaded without RTLD_DEEPBIND,
 * and does both. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv) {
    const char *how = argc == 3 ? argv[2] : "";
    int deep = strcmp(how, "ordinary") ? RTLD_DEEPBIND : 0;
    void *library = argc > 1 ? dlopen(argv[1], RTLD_NOW | deep) : NULL;
    if (!library)
        return 1;
    void *(*made_here)(size_t) = (void *(*)(size_t))dlsym(library, "made_here");
    void (*freed_here)(void *) = (void (*)(void *))dlsym(library, "freed_here");
    if (!made_here || !freed_here)
        return 2;
    for (int i = 0; i < 1000; i++) {
        if (!strcmp(how, "there"))
            freed_here(malloc(1000));
        else if (deep)
            free(made_here(1000));
        else
            freed_here(made_here(1000));
    }
    return 0;
}
