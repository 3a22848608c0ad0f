/* Step 4: an interposer that does not chain. Whoever stands behind it is never called. */
#include "../../common/c/say.h"

int rand(void)
{
    say("dead_end: rand() returns 4, and asks nobody");
    return 4;
}
