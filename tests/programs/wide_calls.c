// flags: -O0 -fno-builtin -U_FORTIFY_SOURCE
/* Calls every function of stdio for wide characters a known number of times. */
#include "witness.h"
#include <wchar.h>

NAMED(wchar_t *, fgetws_chk, __fgetws_chk, wchar_t *, size_t, int, FILE *);
NAMED(wchar_t *, fgetws_unlocked_chk, __fgetws_unlocked_chk, wchar_t *, size_t, int, FILE *);
NAMED(wint_t, wuflow, __wuflow, FILE *);
NAMED(wint_t, wunderflow, __wunderflow, FILE *);
NAMED(wint_t, woverflow, __woverflow, FILE *, wint_t);
NAMED(int, wprintf_chk, __wprintf_chk, int, const wchar_t *, ...);
NAMED(int, fwprintf_chk, __fwprintf_chk, FILE *, int, const wchar_t *, ...);
NAMED(int, vwprintf_chk, __vwprintf_chk, int, const wchar_t *, va_list);
NAMED(int, vfwprintf_chk, __vfwprintf_chk, FILE *, int, const wchar_t *, va_list);

#define SCANNERS(as, name)                                                                   \
    extern int as##wscanf(const wchar_t *, ...) __asm__(#name "wscanf") __attribute__((weak)); \
    extern int as##fwscanf(FILE *, const wchar_t *, ...) __asm__(#name "fwscanf") __attribute__((weak)); \
    extern int as##vwscanf(const wchar_t *, va_list) __asm__(#name "vwscanf") __attribute__((weak)); \
    extern int as##vfwscanf(FILE *, const wchar_t *, va_list) __asm__(#name "vfwscanf") __attribute__((weak))
SCANNERS(plain_, );
SCANNERS(c99_, __isoc99_);
SCANNERS(c23_, __isoc23_);

static FILE *file;
static wchar_t line[256];

static int listed(int (*what)(va_list), ...) {
    va_list arguments;
    va_start(arguments, what);
    int result = what(arguments);
    va_end(arguments);
    return result;
}

static const wchar_t *const format = L"%d %ls %.2f\n";
enum { LENGTH = 17 };
#define ARGUMENTS 12345, L"words", 1.25

static int by_vwprintf(va_list l) { return vwprintf(format, l); }
static int by_vwprintf_chk(va_list l) { return vwprintf_chk(1, format, l); }
static int by_vfwprintf(va_list l) { return vfwprintf(file, format, l); }
static int by_vfwprintf_chk(va_list l) { return vfwprintf_chk(file, 1, format, l); }

static const wchar_t *const pattern = L"%d %255ls %lf";
static int number;
static double real;
#define PLACES &number, line, &real

static int by_plain_vwscanf(va_list l) { return plain_vwscanf(pattern, l); }
static int by_c99_vwscanf(va_list l) { return c99_vwscanf(pattern, l); }
static int by_c23_vwscanf(va_list l) { return c23_vwscanf(pattern, l); }
static int by_plain_vfwscanf(va_list l) { return plain_vfwscanf(file, pattern, l); }
static int by_c99_vfwscanf(va_list l) { return c99_vfwscanf(file, pattern, l); }
static int by_c23_vfwscanf(va_list l) { return c23_vfwscanf(file, pattern, l); }

/* The number of bytes of a wide character is not known, so no bytes are counted. */
#define PRINTS(name, CALL) MUST(DONE(name, 0, CALL) == LENGTH)
#define SCANS(name, CALL)                                                        \
    do {                                                                         \
        number = 0;                                                              \
        MUST(DONE(name, 0, CALL) == 3);                                          \
        MUST(number == 12345 && !wcscmp(line, L"words") && real == 1.25);        \
    } while (0)

static void characters(void) {
    file = GET(fopen, fopen("wide", "w"));
    for (int i = 0; i < 3; i++) {
        MUST(DONE(fputwc, 0, fputwc(L'a', file)) == L'a');
        MUST(DONE(fputwc_unlocked, 0, fputwc_unlocked(L'b', file)) == L'b');
        MUST(DONE(putwc, 0, putwc(L'c', file)) == L'c');
        MUST(DONE(putwc_unlocked, 0, putwc_unlocked(L'd', file)) == L'd');
        MUST(DONE(fputws, 0, fputws(L"line\n", file)) >= 0);
        MUST(DONE(fputws_unlocked, 0, fputws_unlocked(L"another\n", file)) >= 0);
        MUST(DONE(__woverflow, 0, woverflow(file, L'\n')) == L'\n');
    }
    MUST(FAIL(fgetwc, EBADF, fgetwc(file)) == WEOF);
    MUST(!TRY(fclose, fclose(file)));

    file = GET(fopen, fopen("wide", "r"));
    MUST(DONE(__wunderflow, 0, wunderflow(file)) == L'a');
    MUST(DONE(fgetwc, 0, fgetwc(file)) == L'a' && DONE(fgetwc_unlocked, 0, fgetwc_unlocked(file)) == L'b');
    MUST(DONE(getwc, 0, getwc(file)) == L'c' && DONE(getwc_unlocked, 0, getwc_unlocked(file)) == L'd');
    MUST(DONE(ungetwc, 0, ungetwc(L'd', file)) == L'd');
    MUST(DONE(fgetws, 0, fgetws(line, 256, file)) && !wcscmp(line, L"dline\n"));
    MUST(DONE(fgetws_unlocked, 0, fgetws_unlocked(line, 256, file)));
    MUST(DONE(__fgetws_chk, 0, fgetws_chk(line, 256, 200, file)) && !wcscmp(line, L"\n"));
    MUST(DONE(__fgetws_unlocked_chk, 0, fgetws_unlocked_chk(line, 256, 200, file)));
    while (DONE(fgetws, 0, fgetws(line, 256, file)))
        ;
    MUST(DONE(fgetwc, 0, fgetwc(file)) == WEOF);
    MUST(FAIL(fputwc, EBADF, fputwc(L'x', file)) == WEOF);
    MUST(TRY(fputws, fputws(L"text", file)) < 0);
    DONE(rewind, 0, (rewind(file), 0));
    MUST(DONE(__wuflow, 0, wuflow(file)) == L'a');
    MUST(!TRY(fclose, fclose(file)));
}

int main(void) {
    told_to = (int)TRY(dup, dup(1));
    characters();
    MUST(GET(freopen, freopen("printed", "w", stdout)));
    file = GET(fopen, fopen("other", "w"));
    for (int i = 0; i < 3; i++) {
        PRINTS(wprintf, wprintf(format, ARGUMENTS));
        PRINTS(__wprintf_chk, wprintf_chk(1, format, ARGUMENTS));
        PRINTS(fwprintf, fwprintf(file, format, ARGUMENTS));
        PRINTS(__fwprintf_chk, fwprintf_chk(file, 1, format, ARGUMENTS));
        PRINTS(vwprintf, listed(by_vwprintf, ARGUMENTS));
        PRINTS(__vwprintf_chk, listed(by_vwprintf_chk, ARGUMENTS));
        PRINTS(vfwprintf, listed(by_vfwprintf, ARGUMENTS));
        PRINTS(__vfwprintf_chk, listed(by_vfwprintf_chk, ARGUMENTS));
    }
    MUST(DONE(putwchar, 0, putwchar(L'x')) == L'x');
    MUST(DONE(putwchar_unlocked, 0, putwchar_unlocked(L'y')) == L'y');
    MUST(!TRY(fflush, fflush(NULL)));
    MUST(!TRY(fclose, fclose(file)));
    MUST(GET(freopen, freopen("printed", "r", stdin)));
    file = GET(fopen, fopen("other", "r"));
    MUST(TRY(fwprintf, fwprintf(file, format, ARGUMENTS)) < 0 && errno == EBADF);
    SCANS(wscanf, plain_wscanf(pattern, PLACES));
    SCANS(__isoc99_wscanf, c99_wscanf(pattern, PLACES));
    SCANS(fwscanf, plain_fwscanf(file, pattern, PLACES));
    SCANS(__isoc99_fwscanf, c99_fwscanf(file, pattern, PLACES));
    SCANS(vwscanf, listed(by_plain_vwscanf, PLACES));
    SCANS(__isoc99_vwscanf, listed(by_c99_vwscanf, PLACES));
    SCANS(vfwscanf, listed(by_plain_vfwscanf, PLACES));
    SCANS(__isoc99_vfwscanf, listed(by_c99_vfwscanf, PLACES));
    if (c23_wscanf) {
        SCANS(__isoc23_wscanf, c23_wscanf(pattern, PLACES));
        SCANS(__isoc23_fwscanf, c23_fwscanf(file, pattern, PLACES));
        SCANS(__isoc23_vwscanf, listed(by_c23_vwscanf, PLACES));
        SCANS(__isoc23_vfwscanf, listed(by_c23_vfwscanf, PLACES));
    }
    MUST(DONE(getwchar, 0, getwchar()) == L'\n');
    MUST(DONE(getwchar_unlocked, 0, getwchar_unlocked()) == L'1');
    MUST(!TRY(fclose, fclose(file)));
    tell();
    return 0;
}
