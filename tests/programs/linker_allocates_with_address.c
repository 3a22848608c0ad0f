// flags: -g -O0 -pthread -fsanitize=address -D_GNU_SOURCE
/* The same as linker_allocates, with AddressSanitizer. */
#include "linker_allocates.c"
