// flags: -O1 -fno-builtin -Wno-stringop-overread
/* Executes programs with invalid pointers as arguments. Each call is an error, and nothing else happens. */
#include "witness.h"
#include <sys/mman.h>

static void expect(int result, int number) {
    say("%d %d\n", result, errno);
    MUST(result == -1 && errno == number);
}

int main(void) {
    char *args[] = {"true", NULL};
    long size = sysconf(_SC_PAGESIZE);
    char *page = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    MUST(page != MAP_FAILED && !mprotect(page + size, size, PROT_NONE));
    char **without_end = (char **)(page + size - sizeof(char *));
    *without_end = "A=1";
    char *nowhere = (char *)8;
    char *holes[] = {"A=1", nowhere, NULL};
    expect(execve("/bin/true", args, (char **)nowhere), EFAULT);
    expect(execve("/bin/true", args, without_end), EFAULT);
    expect(execve("/bin/true", args, holes), EFAULT);
    expect(execve(nowhere, args, environ), EFAULT);
    expect(execve(NULL, args, environ), EFAULT);
    expect(execve("", args, environ), ENOENT);
    expect(execve("/no/such/program", args, environ), ENOENT);
    expect(execveat(-1, "true", args, holes, 0), EBADF);
    expect(fexecve(-1, args, environ), EINVAL);
    /* Its last entry ends where the mapping ends. */
    char *last = page + size - 4;
    memcpy(last, "B=2", 4);
    char *whole[] = {"A=1", last, NULL};
    return execve("/usr/bin/env", args, whole);
}
