// flags: -O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
/* A program as distributions build it: the header replaces its plain calls by checked ones. */
#include "witness.h"

int main(int argc, char **argv) {
    (void)argv;
    static char buffer[4096];
    size_t size = 1000 + (size_t)argc; /* the compiler does not know it */
    int flags = argc == 1 ? O_RDONLY : O_RDWR;
    int fd = (int)TRY(__open_2, open("/proc/self/exe", flags));
    MUST(fd >= 0);
    for (int i = 0; i < 3; i++)
        MUST(MOVE(__read_chk, size, read(fd, buffer, size)) > 0);
    for (int i = 0; i < 4; i++)
        MUST(MOVE(__pread_chk, size, pread(fd, buffer, size, i)) > 0);
    MUST(!TRY(close, close(fd)));
    tell();
    return 0;
}
