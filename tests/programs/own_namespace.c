// flags: -O1 -fno-builtin -Wl,-z,now
/* With an argument, loads a library into a namespace of its own, and closes it again. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>

int main(int count, char **words) {
    (void)words;
    if (count > 1) {
        void *library = dlmopen(LM_ID_NEWLM, "libm.so.6", RTLD_NOW);
        if (!library || dlclose(library))
            return 1;
    }
    free(malloc(1));
    return 0;
}
