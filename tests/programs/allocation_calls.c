// flags: -O1 -fno-builtin -Wno-deprecated-declarations -Wno-free-nonheap-object -ldl
/* Calls every allocation function a known number of times, with known sizes and failures. */
#include "witness.h"
#include <dlfcn.h>

/* Only old programs call cfree: the C library has a version of it for them, and none for new ones. No program is
 * older than its architecture. */
#ifdef __x86_64__
extern void old_cfree(void *block);
__asm__(".symver old_cfree, cfree@GLIBC_2.2.5");
#define CFREE(block) DROP(cfree, block, old_cfree(block))
#else
#define CFREE(block) DROP(free, block, free(block))
#endif

static const size_t too_large = PTRDIFF_MAX / 64;

int main(void) {
    static void *blocks[1000];

    for (int i = 0; i < 1000; i++)
        MUST(blocks[i] = make((size_t)i * 37));
    for (int i = 0; i < 1000; i += 2)
        drop(blocks[i]);
    for (int i = 0; i < 7; i++)
        drop(NULL);
    for (int i = 0; i < 3; i++)
        MUST(!make(too_large));

    for (int i = 0; i < 40; i++) {
        size_t each = (size_t)i * 11 + 1;
        void *block = MAKE(calloc, 5 * each, calloc(5, each));
        MUST(block && !*(char *)block);
        if (i % 4)
            drop(block);
    }
    MUST(!MAKE(calloc, too_large * 2, calloc(2, too_large)));

    void *chain = NULL;
    for (int i = 1; i <= 200; i++) {
        size_t size = (size_t)i * (size_t)i;
        void *next = RESIZE(realloc, chain, size, realloc(chain, size));
        MUST(chain = next);
    }
    MUST(!RESIZE(realloc, chain, too_large, realloc(chain, too_large)));
    for (int i = 200; i >= 1; i -= 3) {
        void *next = RESIZE(realloc, chain, (size_t)i, realloc(chain, (size_t)i));
        MUST(chain = next);
    }
    MUST(!RESIZE(realloc, chain, 0, realloc(chain, 0)));

    void *array = NULL;
    for (size_t i = 1; i <= 20; i++) {
        void *next = RESIZE(reallocarray, array, i * 100, reallocarray(array, i, 100));
        MUST(array = next);
    }
    MUST(!RESIZE(reallocarray, array, too_large * 4, reallocarray(array, too_large, 4)));
    CFREE(array);
    CFREE(NULL);

    for (size_t align = 8; align <= 8192; align *= 2) {
        void *block = NULL;
        MUST(MAKE(posix_memalign, align + 3,
                  posix_memalign(&block, align, align + 3) ? NULL : block));
        MUST((uintptr_t)block % align == 0);
        drop(block);
    }
    void *none = NULL;
    MUST(!MAKE(posix_memalign, 10, posix_memalign(&none, 3, 10) ? NULL : none));
    MUST(!MAKE(posix_memalign, too_large, posix_memalign(&none, 64, too_large) ? NULL : none));

    for (size_t i = 1; i <= 12; i++) {
        MUST(MAKE(aligned_alloc, 64 * i, aligned_alloc(64, 64 * i)));
        MUST(MAKE(memalign, 77 * i, memalign(256, 77 * i)));
    }
    MUST(!MAKE(aligned_alloc, too_large, aligned_alloc(64, too_large)));
    MUST(!MAKE(memalign, too_large, memalign(64, too_large)));
    for (size_t i = 1; i <= 6; i++) {
        MUST(MAKE(valloc, 1000 * i, valloc(1000 * i)));
        MUST(MAKE(pvalloc, 999 * i, pvalloc(999 * i)));
    }
    MUST(!MAKE(valloc, too_large, valloc(too_large)));
    MUST(!MAKE(pvalloc, too_large, pvalloc(too_large)));

    /* Above the threshold at which malloc maps memory for a single block. */
    void *large = make(5 << 20);
    MUST(large);
    drop(large);

    /* Functions of C23, if the C library has them. They are found as the program's own call would be. */
    void (*free_sized)(void *, size_t) = (void (*)(void *, size_t))dlsym(RTLD_NEXT, "free_sized");
    if (free_sized) {
        void *block = make(123);
        note_size(DOES_free_sized, 123);
        DROP(free_sized, block, free_sized(block, 123));
    }
    void (*free_aligned_sized)(void *, size_t, size_t) =
        (void (*)(void *, size_t, size_t))dlsym(RTLD_NEXT, "free_aligned_sized");
    if (free_aligned_sized) {
        void *block = MAKE(aligned_alloc, 128, aligned_alloc(64, 128));
        note_size(DOES_free_aligned_sized, 128);
        DROP(free_aligned_sized, block, free_aligned_sized(block, 64, 128));
    }
    tell();
    return 0;
}
