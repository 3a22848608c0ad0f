// flags: -O1 -fno-builtin -D_GNU_SOURCE
/* Reads a file that it maps, and reads no file by calls. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void) {
    int fd = open("mapped", O_RDWR | O_CREAT, 0600);
    /* The second part begins where a page does, however large it is. */
    const int part_at = 65536;
    if (ftruncate(fd, part_at + 4096))
        return 1;
    char *whole = mmap(NULL, 12288, PROT_READ, MAP_SHARED, fd, 0);
    char *part = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, part_at);
    char *nothing = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (whole == MAP_FAILED || part == MAP_FAILED || nothing == MAP_FAILED)
        return 2;
    if (mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 1) != MAP_FAILED)
        return 3;
    return whole[5000] + part[7] + nothing[1];
}
