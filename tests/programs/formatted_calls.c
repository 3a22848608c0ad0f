// flags: -O0 -fno-builtin -U_FORTIFY_SOURCE
/* Calls every function that prints or scans by a format a known number of times. */
#include "witness.h"

NAMED(int, printf_chk, __printf_chk, int, const char *, ...);
NAMED(int, io_printf, _IO_printf, const char *, ...);
NAMED(int, fprintf_chk, __fprintf_chk, FILE *, int, const char *, ...);
NAMED(int, io_fprintf, _IO_fprintf, FILE *, const char *, ...);
NAMED(int, dprintf_chk, __dprintf_chk, int, int, const char *, ...);
NAMED(int, vprintf_chk, __vprintf_chk, int, const char *, va_list);
NAMED(int, vfprintf_chk, __vfprintf_chk, FILE *, int, const char *, va_list);
NAMED(int, io_vfprintf, _IO_vfprintf, FILE *, const char *, va_list);
NAMED(int, vdprintf_chk, __vdprintf_chk, int, int, const char *, va_list);

/* Headers choose scanf's name by the standard that is compiled for. Later C libraries have C23's names. */
#define SCANNERS(as, name)                                                              \
    extern int as##scanf(const char *, ...) __asm__(#name "scanf") __attribute__((weak)); \
    extern int as##fscanf(FILE *, const char *, ...) __asm__(#name "fscanf") __attribute__((weak)); \
    extern int as##vscanf(const char *, va_list) __asm__(#name "vscanf") __attribute__((weak)); \
    extern int as##vfscanf(FILE *, const char *, va_list) __asm__(#name "vfscanf") __attribute__((weak))
SCANNERS(plain_, );
SCANNERS(c99_, __isoc99_);
SCANNERS(c23_, __isoc23_);
NAMED(int, vfscanf_alias, __vfscanf, FILE *, const char *, va_list);

static FILE *file;

/* Calls `what` with its further arguments as a list. */
static int listed(int (*what)(va_list), ...) {
    va_list arguments;
    va_start(arguments, what);
    int result = what(arguments);
    va_end(arguments);
    return result;
}

static const char *const format = "%d %s %.2f\n";
enum { LENGTH = 17 };
#define ARGUMENTS 12345, "words", 1.25

static int by_vprintf(va_list l) { return vprintf(format, l); }
static int by_vprintf_chk(va_list l) { return vprintf_chk(1, format, l); }
static int by_vfprintf(va_list l) { return vfprintf(file, format, l); }
static int by_vfprintf_chk(va_list l) { return vfprintf_chk(file, 1, format, l); }
static int by_io_vfprintf(va_list l) { return io_vfprintf(file, format, l); }
static int by_vdprintf(va_list l) { return vdprintf(fileno(file), format, l); }
static int by_vdprintf_chk(va_list l) { return vdprintf_chk(fileno(file), 1, format, l); }

#define PRINTS(name, CALL) MUST(DONE(name, LENGTH, CALL) == LENGTH)

static void prints(void) {
    file = GET(fopen, fopen("other", "w"));
    for (int i = 0; i < 3; i++) {
        PRINTS(printf, printf(format, ARGUMENTS));
        PRINTS(__printf_chk, printf_chk(1, format, ARGUMENTS));
        PRINTS(_IO_printf, io_printf(format, ARGUMENTS));
        PRINTS(fprintf, fprintf(file, format, ARGUMENTS));
        PRINTS(__fprintf_chk, fprintf_chk(file, 1, format, ARGUMENTS));
        PRINTS(_IO_fprintf, io_fprintf(file, format, ARGUMENTS));
        PRINTS(dprintf, dprintf(fileno(file), format, ARGUMENTS));
        PRINTS(__dprintf_chk, dprintf_chk(fileno(file), 1, format, ARGUMENTS));
        PRINTS(vprintf, listed(by_vprintf, ARGUMENTS));
        PRINTS(__vprintf_chk, listed(by_vprintf_chk, ARGUMENTS));
        PRINTS(vfprintf, listed(by_vfprintf, ARGUMENTS));
        PRINTS(__vfprintf_chk, listed(by_vfprintf_chk, ARGUMENTS));
        PRINTS(_IO_vfprintf, listed(by_io_vfprintf, ARGUMENTS));
        PRINTS(vdprintf, listed(by_vdprintf, ARGUMENTS));
        PRINTS(__vdprintf_chk, listed(by_vdprintf_chk, ARGUMENTS));
    }
    MUST(!TRY(fclose, fclose(file)));
    MUST(TRY(dprintf, dprintf(987, format, ARGUMENTS)) < 0 && errno == EBADF);
    file = GET(fopen, fopen("other", "r"));
    MUST(TRY(fprintf, fprintf(file, format, ARGUMENTS)) < 0 && errno == EBADF);
    MUST(!TRY(fclose, fclose(file)));
}

static const char *const pattern = "%d %255s %lf";
static int number;
static char word[256];
static double real;
#define PLACES &number, word, &real

static int by_plain_vscanf(va_list l) { return plain_vscanf(pattern, l); }
static int by_c99_vscanf(va_list l) { return c99_vscanf(pattern, l); }
static int by_c23_vscanf(va_list l) { return c23_vscanf(pattern, l); }
static int by_plain_vfscanf(va_list l) { return plain_vfscanf(file, pattern, l); }
static int by_vfscanf_alias(va_list l) { return vfscanf_alias(file, pattern, l); }
static int by_c99_vfscanf(va_list l) { return c99_vfscanf(file, pattern, l); }
static int by_c23_vfscanf(va_list l) { return c23_vfscanf(file, pattern, l); }

#define SCANS(name, CALL)                                                     \
    do {                                                                      \
        number = 0;                                                           \
        MUST(DONE(name, 0, CALL) == 3);                                       \
        MUST(number == 12345 && !strcmp(word, "words") && real == 1.25);      \
    } while (0)

static void scans(void) {
    MUST(GET(freopen, freopen("printed", "r", stdin)));
    file = GET(fopen, fopen("other", "r"));
    SCANS(scanf, plain_scanf(pattern, PLACES));
    SCANS(__isoc99_scanf, c99_scanf(pattern, PLACES));
    SCANS(fscanf, plain_fscanf(file, pattern, PLACES));
    SCANS(__isoc99_fscanf, c99_fscanf(file, pattern, PLACES));
    SCANS(vscanf, listed(by_plain_vscanf, PLACES));
    SCANS(__isoc99_vscanf, listed(by_c99_vscanf, PLACES));
    SCANS(vfscanf, listed(by_plain_vfscanf, PLACES));
    SCANS(__vfscanf, listed(by_vfscanf_alias, PLACES));
    SCANS(__isoc99_vfscanf, listed(by_c99_vfscanf, PLACES));
    if (c23_scanf) {
        SCANS(__isoc23_scanf, c23_scanf(pattern, PLACES));
        SCANS(__isoc23_fscanf, c23_fscanf(file, pattern, PLACES));
        SCANS(__isoc23_vscanf, listed(by_c23_vscanf, PLACES));
        SCANS(__isoc23_vfscanf, listed(by_c23_vfscanf, PLACES));
    }
    while (DONE(fscanf, 0, plain_fscanf(file, "%255s", word)) == 1)
        ;
    MUST(!TRY(fclose, fclose(file)));
    file = GET(fopen, fopen("written", "w"));
    /* The stream does not see the error, so the call returns EOF. */
    MUST(DONE(fscanf, 0, plain_fscanf(file, pattern, PLACES)) == EOF && errno == EBADF);
    MUST(!TRY(fclose, fclose(file)));
}

int main(void) {
    told_to = (int)TRY(dup, dup(1));
    MUST(GET(freopen, freopen("printed", "w", stdout)));
    prints();
    MUST(!TRY(fflush, fflush(stdout)));
    scans();
    tell();
    return 0;
}
