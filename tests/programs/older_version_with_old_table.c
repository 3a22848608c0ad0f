// flags: -O1 -Wl,--hash-style=sysv
/* The same as older_version_alone, with the older form of hash table only. */
#include "older_version_alone.c"
