// flags: -O1 -fno-builtin -fno-omit-frame-pointer -fno-optimize-sibling-calls -D_GNU_SOURCE @sanitizing_library
/* Makes calls of an allocator that notes its callers, and says whether it has found the function that makes the call, and the caller
 * of that. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern void *last_callers[];
extern size_t last_depth;
extern void *returns[];
extern size_t return_count;

#define FUNCTION_BYTES 512

static void *volatile kept;

/* Writes without an allocation. */
static void say(const char *name, const char *what) {
    char line[64];
    int length = snprintf(line, sizeof line, "%s: %s\n", name, what);
    if (write(1, line, length) != length)
        _exit(99);
}

static const char *found(void (*here)(void), void *outer) {
    for (size_t at = 1; at < last_depth; at++) {
        size_t into = (char *)last_callers[at - 1] - (char *)here;
        if (last_callers[at] == outer)
            return into < FUNCTION_BYTES ? "found" : "not the function itself";
    }
    return "not found";
}

#define CALL(name, is_right)                                            \
    __attribute__((noinline)) static void calls_##name(void) {          \
        int right = (is_right);                                         \
        const char *what = found(calls_##name, __builtin_return_address(0)); \
        say(#name, right ? what : "wrong result");                      \
    }

static int zeroes(const char *block, size_t size) {
    while (size > 0 && block[size - 1] == 0)
        size--;
    return size == 0;
}

CALL(malloc, (kept = malloc(100)) != NULL)
CALL(calloc, (kept = calloc(10, 10)) != NULL && zeroes(kept, 100))
CALL(realloc, (kept = realloc(kept, 1000)) != NULL)
CALL(aligned_alloc, (kept = aligned_alloc(64, 128)) != NULL && (size_t)kept % 64 == 0)
CALL(posix_memalign, posix_memalign((void **)&kept, 64, 100) == 0)
CALL(free, (free(kept), 1))

/* Some of the calls while a library is loaded must be the dynamic linker's, as a sanitizer sees it. */
static void load(void) {
    size_t of_linker = 0;
    return_count = 0;
    void *library = dlopen("libresolv.so.2", RTLD_NOW);
    for (size_t at = 0; at < return_count; at++) {
        Dl_info info;
        of_linker += dladdr(returns[at], &info) && strstr(info.dli_fname, "/ld-linux") != NULL;
    }
    say("dlopen", library != NULL && of_linker > 5 ? "found" : "not found");
}

static int pipe_ends[2];
static char text[8];
CALL(read, read(pipe_ends[0], text, 5) == 5 && strcmp(text, "12345") == 0)

int main(void) {
    if (pipe(pipe_ends) != 0 || write(pipe_ends[1], "1234512345", 10) != 10)
        return 98;
    for (int round = 0; round < 2; round++) {
        calls_malloc();
        calls_calloc();
        calls_realloc();
        calls_aligned_alloc();
        calls_posix_memalign();
        calls_free();
        calls_read();
    }
    load();
    return 0;
}
