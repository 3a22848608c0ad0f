// flags: -O0 -fno-builtin -U_FORTIFY_SOURCE
/* Prints and scans more arguments than the registers hold, of every type. */
#include <locale.h>
#include <stdio.h>
#include <wchar.h>

static void scan(int kind) {
    int i[8] = {0};
    double d[10] = {0};
    char word[20] = "", set[20] = "";
    long double l = 0;
    int places = -1;
    int count = scanf("%d %d %d %d %d %d %d %d "
                      "%lf %lf %lf %lf %lf %lf %lf %lf %lf %lf %19s %19[a-c] %Lf%n",
                      i, i + 1, i + 2, i + 3, i + 4, i + 5, i + 6, i + 7, d, d + 1, d + 2, d + 3,
                      d + 4, d + 5, d + 6, d + 7, d + 8, d + 9, word, set, &l, &places);
    printf("%d: %d at %d: %d %d %d, %g %g %g, %s %s %Lg\n", kind, count, places, i[0], i[5], i[7], d[0],
           d[8], d[9], word, set, l);
}

int main(void) {
    int length = 0;
    printf("%d %d %d %d %d %d %d %d %d %d %d %d\n", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12);
    printf("%g %g %g %g %g %g %g %g %g %g %g %g\n", .1, .2, .3, .4, .5, .6, .7, .8, .9, 1.1, 1.2, 1.3);
    printf("%d %g %s %c %ld %g %p %lld %g %x %g %o %g %g %g %g %g %s\n", 1, .5, "text", 'c', -7L, 1e10,
           (void *)0x1234, 1LL << 60, -.25, 0xbeef, 1.5, 8, 2.5, 3.5, 4.5, 5.5, 6.5, "end");
    printf("%Lg %d %Lg %g %Lf\n", 1.25L, 7, -2.5L, 3.5, 1e-3L);
    printf("%2$s %1$d %3$*4$d %5$.3f\n", 1, "two", 3, 8, 4.0);
    printf("%*d %-*d| %.*f %n\n", 6, 1, 6, 2, 3, 1.0 / 3, &length);
    printf("%d %ls %5lc|\n", length, L"wide", L'w');
    fprintf(stdout, "%s %d %g %d %g %d %g %d %g %d %g %d %g\n", "mixed", 1, 1., 2, 2., 3, 3., 4, 4., 5,
            5., 6, 6.);
    fflush(stdout);
    dprintf(1, "%d %d %d %d %d %d %g\n", 1, 2, 3, 4, 5, 6, 7.);
    for (int kind = 0; kind < 3; kind++)
        scan(kind);
    return 0;
}
