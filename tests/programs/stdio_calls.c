// flags: -O0 -fno-builtin -U_FORTIFY_SOURCE -D_LARGEFILE64_SOURCE -Wno-deprecated-declarations
/* Calls every function of stdio that moves bytes a known number of times. strace is the witness for stdio's own
 * system calls. */
#include "witness.h"

NAMED(FILE *, io_fopen, _IO_fopen, const char *, const char *);
NAMED(FILE *, io_fdopen, _IO_fdopen, int, const char *);
NAMED(FILE *, io_popen, _IO_popen, const char *, const char *);
NAMED(int, io_fclose, _IO_fclose, FILE *);
NAMED(int, io_fflush, _IO_fflush, FILE *);
NAMED(size_t, fread_chk, __fread_chk, void *, size_t, size_t, size_t, FILE *);
NAMED(size_t, fread_unlocked_chk, __fread_unlocked_chk, void *, size_t, size_t, size_t, FILE *);
NAMED(size_t, io_fread, _IO_fread, void *, size_t, size_t, FILE *);
NAMED(size_t, io_fwrite, _IO_fwrite, const void *, size_t, size_t, FILE *);
NAMED(char *, fgets_chk, __fgets_chk, char *, size_t, int, FILE *);
NAMED(char *, fgets_unlocked_chk, __fgets_unlocked_chk, char *, size_t, int, FILE *);
NAMED(char *, io_fgets, _IO_fgets, char *, int, FILE *);
NAMED(char *, plain_gets, gets, char *);
NAMED(char *, gets_chk, __gets_chk, char *, size_t);
NAMED(char *, io_gets, _IO_gets, char *);
NAMED(int, io_fputs, _IO_fputs, const char *, FILE *);
NAMED(int, io_puts, _IO_puts, const char *);
NAMED(int, io_getc, _IO_getc, FILE *);
NAMED(int, io_putc, _IO_putc, int, FILE *);
NAMED(int, io_ungetc, _IO_ungetc, int, FILE *);
NAMED(int, uflow, __uflow, FILE *);
NAMED(int, underflow, __underflow, FILE *);
NAMED(int, overflow, __overflow, FILE *, int);
NAMED(ssize_t, getdelim_alias, __getdelim, char **, size_t *, int, FILE *);
NAMED(long, io_ftell, _IO_ftell, FILE *);
NAMED(int, io_fgetpos, _IO_fgetpos, FILE *, fpos_t *);
NAMED(int, io_fgetpos64, _IO_fgetpos64, FILE *, fpos64_t *);
NAMED(int, io_fsetpos, _IO_fsetpos, FILE *, const fpos_t *);
NAMED(int, io_fsetpos64, _IO_fsetpos64, FILE *, const fpos64_t *);

/* A call of fread, fwrite or their kin, with a number of items. */
#define ITEMS(name, size, count, moved, CALL)                   \
    do {                                                        \
        note_size(DOES_##name, (size_t)(size) * (count));       \
        MUST(DONE(name, (size) * (moved), CALL) == (size_t)(moved)); \
    } while (0)

static char buffer[1 << 16], line[256];

static FILE *opened(const char *name, const char *mode) {
    FILE *file = GET(fopen, fopen(name, mode));
    MUST(file);
    return file;
}

#define CLOSE(file) MUST(!TRY(fclose, fclose(file)))

static void writes(void) {
    FILE *out = opened("text", "w");
    for (int i = 0; i < 3; i++) {
        ITEMS(fwrite, 7, 3, 3, fwrite("sevens sevens sevens \n", 7, 3, out));
        ITEMS(fwrite_unlocked, 2, 5, 5, fwrite_unlocked("1234567890", 2, 5, out));
        ITEMS(_IO_fwrite, 1, 4, 4, io_fwrite("abc\n", 1, 4, out));
        MUST(DONE(fputs, 5, fputs("puts\n", out)) >= 0);
        MUST(DONE(fputs_unlocked, 6, fputs_unlocked("puts-\n", out)) >= 0);
        MUST(DONE(_IO_fputs, 7, io_fputs("puts--\n", out)) >= 0);
        MUST(DONE(fputc, 1, fputc('a', out)) == 'a');
        MUST(DONE(fputc_unlocked, 1, fputc_unlocked('b', out)) == 'b');
        MUST(DONE(putc, 1, putc('c', out)) == 'c');
        MUST(DONE(putc_unlocked, 1, (putc_unlocked)('d', out)) == 'd');
        MUST(DONE(_IO_putc, 1, io_putc('e', out)) == 'e');
        MUST(DONE(__overflow, 1, overflow(out, '\n')) == '\n');
        MUST(!DONE(putw, 4, putw(0x41424344, out)));
        MUST(DONE(putc, 1, putc('\n', out)) == '\n');
        MUST(!TRY(fflush, fflush(out)) && !TRY(fflush_unlocked, fflush_unlocked(out)));
        MUST(!TRY(_IO_fflush, io_fflush(out)));
    }
    /* More than a buffer, and then more than that. */
    ITEMS(fwrite, 1, 60000, 60000, fwrite(buffer, 1, 60000, out));
    ITEMS(fwrite, 1, 100, 100, fwrite(buffer, 1, 100, out));
    ITEMS(fwrite, 0, 100, 0, fwrite(buffer, 0, 100, out));
    MUST(FAIL(fgetc, EBADF, fgetc(out)) == EOF);
    note_size(DOES_fread, 10);
    MUST(FAIL(fread, EBADF, fread(line, 1, 10, out)) == 0);
    MUST(!FAIL(fgets, EBADF, fgets(line, 10, out)));
    CLOSE(out);
}

static void reads(void) {
    FILE *in = GET(fopen64, fopen64("text", "r"));
    MUST(in);
    MUST(DONE(__underflow, 0, underflow(in)) == 's');
    MUST(DONE(fgetc, 1, fgetc(in)) == 's');
    MUST(DONE(fgetc_unlocked, 1, fgetc_unlocked(in)) == 'e');
    MUST(DONE(getc, 1, getc(in)) == 'v');
    MUST(DONE(getc_unlocked, 1, (getc_unlocked)(in)) == 'e');
    MUST(DONE(_IO_getc, 1, io_getc(in)) == 'n');
    MUST(TRY(ungetc, ungetc('n', in)) == 'n' && TRY(_IO_ungetc, io_ungetc('e', in)) == 'e');
    ITEMS(fread, 1, 2, 2, fread(line, 1, 2, in));
    ITEMS(fread_unlocked, 1, 16, 16, fread_unlocked(line, 1, 16, in));
    ITEMS(__fread_chk, 2, 3, 3, fread_chk(line, sizeof line, 2, 3, in));
    ITEMS(__fread_unlocked_chk, 1, 4, 4, fread_unlocked_chk(line, sizeof line, 1, 4, in));
    ITEMS(_IO_fread, 4, 1, 1, io_fread(line, 4, 1, in));
    MUST(DONE(fgets, 5, fgets(line, sizeof line, in)));
    MUST(!strcmp(line, "puts\n"));
    MUST(DONE(fgets_unlocked, 6, fgets_unlocked(line, sizeof line, in)));
    MUST(DONE(__fgets_chk, 7, fgets_chk(line, sizeof line, 200, in)));
    MUST(DONE(__fgets_unlocked_chk, 6, fgets_unlocked_chk(line, sizeof line, 200, in)));
    MUST(DONE(getw, 4, getw(in)) == 0x41424344);
    MUST(DONE(_IO_fgets, 1, io_fgets(line, sizeof line, in)));
    char *whole = NULL;
    size_t room = 0;
    MUST(DONE(getline, 35, getline(&whole, &room, in)) == 35);
    MUST(DONE(getdelim, 3, getdelim(&whole, &room, 't', in)) == 3);
    MUST(DONE(__getdelim, 2, getdelim_alias(&whole, &room, '\n', in)) == 2);

    fpos_t place;
    fpos64_t place64;
    MUST(TRY(ftell, ftell(in)) == TRY(_IO_ftell, io_ftell(in)));
    MUST(TRY(ftello, ftello(in)) == TRY(ftello64, ftello64(in)));
    MUST(!TRY(fgetpos, fgetpos(in, &place)) && !TRY(_IO_fgetpos, io_fgetpos(in, &place)));
    MUST(!TRY(fgetpos64, fgetpos64(in, &place64)) && !TRY(_IO_fgetpos64, io_fgetpos64(in, &place64)));
    MUST(!TRY(fseek, fseek(in, 0, SEEK_END)) && !TRY(fseeko, fseeko(in, -5, SEEK_END)));
    MUST(!TRY(fseeko64, fseeko64(in, 1, SEEK_SET)));
    MUST(TRY(fseek, fseek(in, 0, 77)) < 0 && errno == EINVAL);
    MUST(!TRY(fsetpos, fsetpos(in, &place)) && !TRY(_IO_fsetpos, io_fsetpos(in, &place)));
    MUST(!TRY(fsetpos64, fsetpos64(in, &place64)) && !TRY(_IO_fsetpos64, io_fsetpos64(in, &place64)));
    DONE(rewind, 0, (rewind(in), 0));
    MUST(DONE(__uflow, 1, uflow(in)) == 's');
    ITEMS(fread, 1, 65536, 60291, fread(buffer, 1, sizeof buffer, in));
    ITEMS(fread, 1, 10, 0, fread(buffer, 1, 10, in));
    MUST(DONE(fgetc, 0, fgetc(in)) == EOF && !DONE(fgets, 0, fgets(line, 10, in)));
    MUST(DONE(getline, 0, getline(&whole, &room, in)) == -1);
    MUST(FAIL(fputc, EBADF, fputc('x', in)) == EOF);
    MUST(FAIL(fputs, EBADF, fputs("text", in)) == EOF);
    CLOSE(in);
}

static void standard_streams(void) {
    MUST(GET(freopen64, freopen64("printed", "w", stdout)) == stdout);
    MUST(DONE(puts, 5, puts("1234")) >= 0 && DONE(_IO_puts, 6, io_puts("12345")) >= 0);
    MUST(DONE(putchar, 1, (putchar)('a')) == 'a' && DONE(putchar_unlocked, 1, (putchar_unlocked)('\n')) == '\n');
    MUST(DONE(puts, 7, puts("123456")) >= 0);
    MUST(GET(freopen, freopen("printed", "r", stdin)) == stdin);
    MUST(!TRY(fflush, fflush(NULL)));
    MUST(DONE(gets, 4, plain_gets(line)) && !strcmp(line, "1234"));
    MUST(DONE(__gets_chk, 5, gets_chk(line, sizeof line)) && !strcmp(line, "12345"));
    MUST(DONE(getchar, 1, (getchar)()) == 'a' && DONE(getchar_unlocked, 1, (getchar_unlocked)()) == '\n');
    MUST(DONE(_IO_gets, 6, io_gets(line)) && !DONE(gets, 0, plain_gets(line)));
    MUST(!GET(freopen, freopen("no/such/file", "r", stdin)) && errno == ENOENT);
}

int main(void) {
    told_to = (int)TRY(dup, dup(1));
    memset(buffer, 'x', sizeof buffer);
    writes();
    reads();
    standard_streams();

    MUST(!GET(fopen, fopen("no/such/file", "r")) && errno == ENOENT);
    FILE *file = GET(_IO_fopen, io_fopen("text", "a+"));
    MUST(file && DONE(fputs, 4, fputs("more", file)) >= 0 && !TRY(_IO_fclose, io_fclose(file)));
    int fd = (int)TRY(open, open("text", O_RDWR));
    file = GET(fdopen, fdopen(fd, "a"));
    MUST(file && DONE(fputs, 4, fputs("more", file)) >= 0);
    CLOSE(file);
    MUST(TRY(close, close(fd)) < 0);
    fd = (int)TRY(open, open("text", O_RDWR));
    file = GET(_IO_fdopen, io_fdopen(fd, "r+"));
    MUST(file && DONE(fgetc, 1, fgetc(file)) == 's');
    MUST(DONE(fputc, 1, fputc('E', file)) == 'E');
    CLOSE(file);
    MUST(!GET(fdopen, fdopen(987, "r")) && errno == EBADF);
    file = GET(tmpfile, tmpfile());
    MUST(file && DONE(fputs, 9, fputs("temporary", file)) >= 0);
    CLOSE(file);
    file = GET(tmpfile64, tmpfile64());
    MUST(file);
    CLOSE(file);
    /* Without a buffer, each call is a system call. */
    file = opened("bare", "w");
    setvbuf(file, NULL, _IONBF, 0);
    for (int i = 0; i < 10; i++)
        MUST(DONE(fputc, 1, fputc('.', file)) == '.');
    CLOSE(file);
    file = opened("/dev/full", "w");
    MUST(DONE(fputc, 1, fputc('.', file)) == '.');
    MUST(TRY(fflush, fflush(file)) == EOF && errno == ENOSPC);
    CLOSE(file);

    file = GET(popen, popen("echo from a command", "r"));
    MUST(file && DONE(fgets, 15, fgets(line, sizeof line, file)));
    MUST(!TRY(pclose, pclose(file)));
    file = GET(_IO_popen, io_popen("read line", "w"));
    MUST(file && DONE(fputs, 5, fputs("line\n", file)) >= 0);
    MUST(!TRY(pclose, pclose(file)));
    errno = ENOENT;
    DONE(perror, 0, (perror("as expected"), 0));
    opened("text", "r");
    MUST(!TRY(fcloseall, fcloseall()));
    tell();
    return 0;
}
