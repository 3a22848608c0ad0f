// flags: -g -O0 -pthread -fsanitize=leak -D_GNU_SOURCE
/* Has the dynamic linker allocate what it keeps until the end. A sanitizer does not call that a leak. The argument says how. */
#include <dlfcn.h>
#include <execinfo.h>
#include <pthread.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>

int main(int count, char **arguments) {
    void *addresses[8];
    puts("begins");
    fflush(stdout);
    switch (count > 1 ? atoi(arguments[1]) : -1) {
    case 0:
        return dlopen("libm.so.6", RTLD_NOW | RTLD_GLOBAL) == NULL;
    case 1:
        return getpwnam("root") == NULL;
    case 2:
        /* Both load the library of the unwinder. */
        return backtrace(addresses, 8) < 1;
    case 3:
        pthread_exit(NULL);
    default:
        return 99;
    }
}
