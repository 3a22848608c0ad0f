// flags: -O1 -g -fno-builtin -D_GNU_SOURCE
/* Makes code while it runs, with frame pointers and without unwind information, and tells perf of it: by /tmp/perf-PID.map, or with an
 * argument by jit-PID.dump in this folder. The code calls functions of this file, which make calls. Prints how many. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef void called(void);
typedef void caller(called *);

/* Calls its argument. */
#if defined(__x86_64__)
static const uint8_t calling[] = {0x55, 0x48, 0x89, 0xe5, 0xff, 0xd7, 0x5d, 0xc3};
#elif defined(__aarch64__)
static const uint32_t calling[] = {0xa9bf7bfd, 0x910003fd, 0xd63f0000, 0xa8c17bfd, 0xd65f03c0};
#endif

enum { ROUNDS = 50, APART = 64 };

static char *code;
static void *volatile kept;
static int zero;

static caller *made(int which) { return (caller *)(code + which * APART); }

__attribute__((noinline)) static void innermost(void) {
    kept = malloc(100);
    free(kept);
    char bytes[16];
    if (read(zero, bytes, sizeof bytes) != sizeof bytes)
        abort();
}

__attribute__((noinline)) static void middle(void) {
    made(1)(innermost);
    kept = kept;
}

__attribute__((noinline)) static void outermost(void) {
    made(0)(middle);
    kept = kept;
}

static int map(void) {
    char path[64];
    sprintf(path, "/tmp/perf-%d.map", (int)getpid());
    FILE *file = fopen(path, "w");
    if (file == NULL)
        return 0;
    /* The code that was there before is of no account. */
    fprintf(file, "%lx %x JS:~before /nowhere/before.js:1:1\n", (long)code, 2 * APART);
    fprintf(file, "%lx %x JS:~outer_made /nowhere/made.js:12:5\n", (long)made(0), (int)sizeof calling);
    fprintf(file, "%lx %x inner_made\n", (long)made(1), (int)sizeof calling);
    fclose(file);
    return 1;
}

static void put(FILE *file, uint64_t number, int bytes) { fwrite(&number, bytes, 1, file); }

/* The head of a record: its kind, its size, and a time. */
static void begin(FILE *file, int kind, size_t body) {
    put(file, kind, 4);
    put(file, 16 + body, 4);
    put(file, 0, 8);
}

static void load(FILE *file, char *at, const char *name) {
    begin(file, 0, 40 + strlen(name) + 1 + sizeof calling);
    put(file, getpid(), 4);
    put(file, getpid(), 4);
    put(file, (uintptr_t)at, 8);
    put(file, (uintptr_t)at, 8);
    put(file, sizeof calling, 8);
    put(file, 0, 8);
    fwrite(name, strlen(name) + 1, 1, file);
    fwrite(calling, sizeof calling, 1, file);
}

/* The form is that of Linux's tools/perf/Documentation/jitdump-specification.txt. */
static int dump(void) {
    char path[64];
    sprintf(path, "jit-%d.dump", (int)getpid());
    FILE *file = fopen(path, "w");
    if (file == NULL)
        return 0;
    put(file, 0x4a695444, 4);
    put(file, 1, 4);
    put(file, 40, 4);
    put(file, 0, 8);
    put(file, getpid(), 4);
    put(file, 0, 16);
    static const char source[] = "/nowhere/dumped.x";
    begin(file, 2, 16 + 16 + sizeof source);
    put(file, (uintptr_t)made(0), 8);
    put(file, 1, 8);
    put(file, (uintptr_t)made(0), 8);
    put(file, 34, 4);
    put(file, 0, 4);
    fwrite(source, sizeof source, 1, file);
    load(file, (char *)made(0), "outer_made");
    load(file, (char *)made(1), "inner_made");
    fclose(file);
    return 1;
}

int main(int count, char **arguments) {
    (void)arguments;
    code = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (code == MAP_FAILED)
        return 1;
    for (int which = 0; which < 2; which++)
        memcpy(code + which * APART, calling, sizeof calling);
    if (mprotect(code, 4096, PROT_READ | PROT_EXEC) != 0)
        return 2;
    __builtin___clear_cache(code, code + 4096);
    if (!(count > 1 ? dump() : map()))
        return 3;
    zero = open("/dev/zero", O_RDONLY);
    for (int round = 0; round < ROUNDS; round++)
        outermost();
    printf("%d\n", ROUNDS);
    return 0;
}
