// flags: -O1 -fno-builtin
/* Loads and unloads the library of its first argument. Prints the account of those functions that the dynamic
 * linker does not call itself. With a second argument, the library's symbols are bound to the C library first
 * (RTLD_DEEPBIND), so its calls bypass every preloaded library. */
#include "witness.h"
#include <dlfcn.h>

int main(int argc, char **argv) {
    int deep = argc > 2 ? RTLD_DEEPBIND : 0;
    for (int i = 0; i < 50; i++) {
        void *library = dlopen(argv[1], RTLD_NOW | deep);
        MUST(library);
        void *(*work)(void) = (void *(*)(void))dlsym(library, "work");
        MUST(work);
        void *block = work();
        MUST(block && (uintptr_t)block % 64 == 0);
        free(block);
        MUST(!dlsym(library, "no_such_symbol") && dlerror());
        MUST(!dlclose(library));
        if (!deep) {
            note_size(DOES_aligned_alloc, 640);
            note_size(DOES_aligned_alloc, 6400);
            PLUS(tallies[DOES_aligned_alloc].calls, 2);
            PLUS(tallies[DOES_pwrite].calls, 2);
            note_size(DOES_pwrite, 4);
            note_size(DOES_pwrite, 6);
            note_error(DOES_pwrite, EBADF);
            note_error(DOES_pwrite, EBADF);
        }
    }
    say("fifty times\n");
    tell();
    return 0;
}
