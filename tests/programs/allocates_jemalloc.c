// flags: -O1 -fno-builtin -pthread -l:libjemalloc.a -lstdc++ -lm
/* allocates.c, with jemalloc linked in. */
#include "allocates.c"
