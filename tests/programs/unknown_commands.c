// flags: -O1 -fno-builtin -D_GNU_SOURCE
/* Unknown commands, and some that write to the target of their argument. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TELL(CALL)                                              \
    do {                                                        \
        errno = 0;                                              \
        long result = (long)(CALL);                             \
        printf("%s: %ld, errno %d\n", #CALL, result, errno);    \
    } while (0)

int main(void) {
    int ends[2], waiting = -1, fd = open("file", O_RDWR | O_CREAT, 0600);
    if (pipe(ends) || write(ends[1], "abc", 3) != 3)
        return 98;
    for (unsigned long command = 2000; command < 2100; command++) {
        TELL(fcntl(fd, (int)command, 0x5eed5eed5eedUL));
        TELL(ioctl(fd, command, 0x5eed5eed5eedUL));
        TELL(ioctl(ends[0], 0x5eed5eed00000000UL | command, 0x5eed5eed5eedUL));
        TELL(prctl((int)command, 0x5eed5eed5ee1UL, 0x5eed5eed5ee2UL, 0x5eed5eed5ee3UL, 0x5eed5eed5ee4UL));
    }
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10};
    TELL(fcntl(fd, F_SETLK, &lock));
    TELL(fcntl(fd, F_OFD_GETLK, &lock));
    printf("lock %d %ld\n", lock.l_type, (long)lock.l_len);
    TELL(fcntl(fd, F_SETOWN, 1));
    TELL(fcntl(ends[0], F_SETPIPE_SZ, 1 << 16));
    TELL(fcntl(ends[0], F_GETPIPE_SZ));
    TELL(ioctl(ends[0], FIONREAD, &waiting));
    printf("waiting %d\n", waiting);
    char name[17] = "";
    TELL(prctl(PR_SET_NAME, "a name"));
    TELL(prctl(PR_GET_NAME, name));
    printf("name %s\n", name);
    /* Six arguments, the last of which is on the stack. */
    char from[] = "first second", to[20] = "";
    TELL(syscall(SYS_pwrite64, fd, from, 12L, 0L));
    TELL(syscall(SYS_pread64, fd, to, 6L, 6L));
    off_t at = 0, behind = 12;
    TELL(syscall(SYS_copy_file_range, fd, &at, fd, &behind, 6L, 0x5eedL));
    TELL(syscall(SYS_copy_file_range, fd, &at, fd, &behind, 6L, 0L));
    printf("%s %ld %ld\n", to, (long)at, (long)behind);
    return 0;
}
