/* Step 5: a library that is not there when the program starts, and is loaded when it asks. */
#include "../../common/c/say.h"

const char *greeting(void)
{
    return "Good";
}

__attribute__((constructor)) static void when_loaded(void)
{
    say("plugin: loaded");
}

__attribute__((destructor)) static void when_unloaded(void)
{
    say("plugin: unloaded");
}
