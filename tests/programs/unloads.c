// flags: -O1 -ldl
// Loads two libraries, one after the other, and allocates in each. Says whether one came to the
// place of the other.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    void *before = NULL;
    int is_at_same_place = 0;
    if (argc != 3)
        return 2;
    for (int round = 0; round < 20; round++)
        for (int which = 0; which < 2; which++) {
            void *library = dlopen(argv[1 + which], RTLD_NOW);
            if (library == NULL)
                return 1;
            void (*allocate)(int) = (void (*)(int))dlsym(library, "allocate");
            Dl_info info;
            if (dladdr((void *)allocate, &info) == 0)
                return 1;
            is_at_same_place |= info.dli_fbase == before;
            before = info.dli_fbase;
            allocate(which == 0 ? 15 : 35);
            if (dlclose(library) != 0)
                return 1;
        }
    puts(is_at_same_place ? "at the same place" : "elsewhere");
    return 0;
}
