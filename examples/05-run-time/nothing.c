/* A symbol that exists, and whose value is NULL: an "indirect function" is not called but asked
   once, when it is looked up, which function it shall be. This one says: none. */
#include <stddef.h>

typedef void function(void);

static function *choose(void)
{
    return NULL;
}

void nothing(void) __attribute__((ifunc("choose")));
