/* Asks the preloaded interposer of rand where the real rand is. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

static int ask(const char *function)
{
    void *(*real_rand)(void);
    Dl_info info;

    *(void **)&real_rand = dlsym(RTLD_DEFAULT, function);
    if (real_rand == NULL || dladdr(real_rand(), &info) == 0) {
        fprintf(stderr, "%s: no answer; is libtail_call.so preloaded?\n", function);
        return 1;
    }
    const char *slash = strrchr(info.dli_fname, '/');
    printf("%s: the real rand is in %s\n", function, slash ? slash + 1 : info.dli_fname);
    return 0;
}

int main(void)
{
    return ask("real_rand_by_jump") | ask("real_rand_by_call");
}
