// flags: -g -O0 -fno-builtin -fsanitize=address
/* The same as leaks_by_name, with AddressSanitizer. */
#include "leaks_by_name.c"
