// flags: -O1 -fno-builtin -pthread
/* Makes every kind of call many times, between two markers (system calls that nothing else makes). */
#include "witness.h"
#include <pthread.h>
#include <sys/wait.h>

/* Some things start only when they are first used: such rounds come first. */
enum { WARM_UP = 1000, ROUNDS = 1500 };

static void all_kinds(int fd, int rounds) {
    static char bytes[4096];
    struct iovec part = {bytes, 100};
    for (int i = 0; i < rounds; i++) {
        (void)!read(fd, bytes, 10);
        (void)!pread(fd, bytes, 10, 0);
        (void)!write(1, "", 0);
        (void)!writev(1, &part, 0);
        (void)!read(-1, bytes, 10);
        close(open("/dev/null", O_RDONLY));
        (void)!open("/no/such/file", O_RDONLY);
        lseek(fd, 0, SEEK_SET);
        fsync(-1);
        void *blocks[] = {malloc(100), calloc(3, 100), aligned_alloc(64, 640), realloc(NULL, 50)};
        blocks[3] = reallocarray(blocks[3], 10, 20);
        for (int b = 0; b < 4; b++)
            free(blocks[b]);
    }
}

static void *thread(void *fd) {
    all_kinds((int)(intptr_t)fd, WARM_UP);
    syscall(SYS_getpgid, 5000100);
    all_kinds((int)(intptr_t)fd, ROUNDS);
    syscall(SYS_getpgid, 5000200);
    return NULL;
}

int main(void) {
    int fd = open("/proc/self/exe", O_RDONLY);
    MUST(fd >= 0);
    all_kinds(fd, WARM_UP);
    syscall(SYS_getpgid, 5000000);
    all_kinds(fd, ROUNDS);
    syscall(SYS_getpgid, 5000001);
    pthread_t other;
    MUST(!pthread_create(&other, NULL, thread, (void *)(intptr_t)fd));
    MUST(!pthread_join(other, NULL));
    return 0;
}
