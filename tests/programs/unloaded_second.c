// flags: -O1 -fno-builtin -shared -fPIC -fomit-frame-pointer
// The second of two libraries that take each other's place: its frames are larger.
#include <stdlib.h>
#include <string.h>

void allocate(int count) {
    char room[400];
    memset(room, count, sizeof room);
    __asm__ volatile("" : : "r"(room) : "memory");
    for (int index = 0; index < count; index++)
        free(malloc(24));
    __asm__ volatile("" : : "r"(room) : "memory");
}
