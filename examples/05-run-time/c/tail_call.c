/* Step 5, the trap: who called dlsym? It looks at its return address to find out.

   This interposer of rand also tells the program where the real one is, in two ways that differ in nothing
   but their last instruction. */
#define _GNU_SOURCE
#include <dlfcn.h>

int rand(void)
{
    return 4;
}

/* Wrong. A call that is the last thing a function does is compiled to a jump: dlsym then returns straight
   to the program, takes the program for its caller, and finds what is next after *that*. */
void *real_rand_by_jump(void)
{
    return dlsym(RTLD_NEXT, "rand");
}

/* Right. Something is left to do after the call, so that it has to return to here. */
void *real_rand_by_call(void)
{
    void *volatile found = dlsym(RTLD_NEXT, "rand");
    return found;
}
