// flags: -O1 -fno-builtin -D_GNU_SOURCE
/* The same as older_versions, bound to the default versions. */
#define NEWER
#include "older_versions.c"
