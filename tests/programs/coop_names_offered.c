// flags: -O2 -DRUN_BLOCKING -Iinclude -pthread
#include "coop_names.c"
