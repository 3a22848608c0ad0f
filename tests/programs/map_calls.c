// flags: -O1 -fno-builtin -U_FORTIFY_SOURCE -D_LARGEFILE64_SOURCE
/* Calls every function for memory maps a known number of times. */
#include "witness.h"
#include <sys/mman.h>

NAMED(void *, sbrk_alias, __sbrk, intptr_t);

/* A call that returns MAP_FAILED on failure, with a size. */
#define MAP(name, size, CALL) ((void *)SIZED(name, size, (long)(CALL)))

int main(void) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    enum { WRITTEN = 4096 };
    const int both = PROT_READ | PROT_WRITE;
    int file = (int)TRY(open, open("mapped", O_RDWR | O_CREAT, 0600));
    MUST(file >= 0 && MOVE(write, WRITTEN, write(file, bare, WRITTEN)) == WRITTEN);

    for (size_t i = 1; i <= 5; i++) {
        void *place = MAP(mmap, i * page, mmap(NULL, i * page, both, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        MUST(place != MAP_FAILED);
        place = MAP(mremap, 2 * i * page, mremap(place, i * page, 2 * i * page, MREMAP_MAYMOVE));
        MUST(place != MAP_FAILED);
        MUST(!SIZED(mprotect, page, mprotect(place, page, PROT_READ)));
        /* Without a key it is mprotect, on any processor. */
        MUST(!SIZED(pkey_mprotect, page, pkey_mprotect(place, page, both, -1)));
        MUST(!SIZED(madvise, page, madvise(place, page, MADV_DONTNEED)));
        note_size(DOES_posix_madvise, page);
        MUST(!NUMBER(posix_madvise, posix_madvise(place, page, POSIX_MADV_WILLNEED)));
        MUST(!SIZED(munmap, 2 * i * page, munmap(place, 2 * i * page)));
    }
    char *place = MAP(mmap64, page, mmap64(NULL, page, both, MAP_SHARED, file, 0));
    MUST(place != MAP_FAILED);
    place[0] = 'x';
    MUST(!SIZED(msync, page, msync(place, page, MS_SYNC)));
    void *to = MAP(mmap, page, mmap(NULL, page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    /* The fifth argument exists only with this flag. */
    MUST(MAP(mremap, page, mremap(place, page, page, MREMAP_MAYMOVE | MREMAP_FIXED, to)) == to);
    MUST(*(char *)to == 'x');
    MUST(!SIZED(munmap, page, munmap(to, page)));

    MUST(MAP(mmap, 0, mmap(NULL, 0, both, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) == MAP_FAILED);
    MUST(MAP(mmap64, 10, mmap64(NULL, 10, both, MAP_SHARED, 987, 0)) == MAP_FAILED && errno == EBADF);
    MUST(MAP(mremap, page, mremap((void *)page, page, page, 0)) == MAP_FAILED && errno == EFAULT);
    MUST(SIZED(munmap, 1, munmap((void *)1, 1)) < 0 && errno == EINVAL);
    MUST(SIZED(mprotect, page, mprotect((void *)1, page, both)) < 0 && errno == EINVAL);
    MUST(SIZED(pkey_mprotect, page, pkey_mprotect((void *)1, page, both, -1)) < 0 && errno == EINVAL);
    MUST(SIZED(msync, 1, msync((void *)1, 1, MS_SYNC)) < 0 && errno == EINVAL);
    MUST(SIZED(madvise, page, madvise((void *)1, page, 0)) < 0 && errno == EINVAL);
    note_size(DOES_posix_madvise, page);
    MUST(NUMBER(posix_madvise, posix_madvise((void *)1, page, 0)) == EINVAL);

    char *end = (char *)DONE(sbrk, 0, sbrk(0));
    MUST(DONE(sbrk, 0, sbrk(8192)) == end);
    MUST(DONE(__sbrk, 0, sbrk_alias(4096)) == end + 8192);
    MUST(!TRY(brk, brk(end + 4096)));
    MUST((char *)DONE(__sbrk, 0, sbrk_alias(0)) == end + 4096);
    MUST(TRY(brk, brk((void *)-8192)) < 0 && errno == ENOMEM);
    MUST(FAIL(sbrk, ENOMEM, sbrk(INTPTR_MAX)) == (void *)-1);
    MUST(!TRY(close, close(file)));
    tell();
    return 0;
}
