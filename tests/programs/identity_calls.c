// flags: -O1 -fno-builtin
/* Calls functions by which a process changes its identity, each a known number of times, with known results. */
#include "witness.h"
#include <sched.h>
#include <sys/types.h>

int main(void) {
    MUST(!TRY(unshare, unshare(0)));
    MUST(TRY(unshare, unshare(0x7fffffff)) == -1);
    MUST(TRY(setns, setns(-1, 0)) == -1);
    MUST(!TRY(setuid, setuid(geteuid())));
    MUST(!TRY(setreuid, setreuid((uid_t)-1, (uid_t)-1)));
    MUST(!TRY(setresuid, setresuid((uid_t)-1, (uid_t)-1, (uid_t)-1)));
    tell();
    return 0;
}
