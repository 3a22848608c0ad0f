// flags: -O1 -fno-builtin -shared -fPIC -fomit-frame-pointer
// The first of two libraries that take each other's place: its frames are small.
#include <stdlib.h>

void allocate(int count) {
    for (int index = 0; index < count; index++)
        free(malloc(24));
}
