// flags: -O1 -fno-builtin -pthread -Wl,--no-as-needed -lmimalloc
/* allocates.c, linked with mimalloc. */
#include "allocates.c"
