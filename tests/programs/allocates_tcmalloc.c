// flags: -O1 -fno-builtin -pthread -l:libtcmalloc_minimal.a -lstdc++ -lm
/* allocates.c, with tcmalloc linked in. */
#include "allocates.c"
