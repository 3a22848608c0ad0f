// flags: -O1
/* Its first call that allocates is one that holds the C library's lock of locales; later it takes that lock again. */
#include <dlfcn.h>
#include <locale.h>
#include <stdio.h>

static locale_t locale;

__attribute__((constructor)) static void begin(void) {
    locale = newlocale(LC_ALL_MASK, "POSIX", (locale_t)0);
}

int main(void) {
    const char *error = dlerror();
    printf("%d %s\n", locale != (locale_t)0, error ? error : "no error");
    printf("%s\n", setlocale(LC_ALL, ""));
    return 0;
}
