// flags: -O1 -fno-builtin -pthread
/* Counts the calls that it has begun and completed, in the shared memory of its argument. Four threads run until
 * the process is killed. */
#include "witness.h"
#include <pthread.h>
#include <sys/mman.h>

enum { THREADS = 4, KINDS = 4 };
/* For each thread and kind (malloc, free, write, read): begun, completed. */
static volatile unsigned long (*shared)[KINDS][2];
static int null;

static void *thread(void *argument) {
    volatile unsigned long(*mine)[2] = shared[(size_t)argument];
    static char bytes[64];
#define COUNTED(kind, call) (mine[kind][0]++, (call), mine[kind][1]++)
    for (;;) {
        void *block;
        COUNTED(0, block = malloc(48));
        COUNTED(2, (void)!write(null, bytes, 64));
        COUNTED(1, free(block));
        COUNTED(3, (void)!read(null, bytes, 64));
    }
    return NULL;
}

int main(int argc, char **argv) {
    MUST(argc == 2);
    int fd = open(argv[1], O_RDWR);
    null = open("/dev/null", O_RDWR);
    MUST(fd >= 0 && null >= 0);
    void *mapped = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    MUST(mapped != MAP_FAILED);
    shared = mapped;
    pthread_t threads[THREADS];
    for (size_t i = 1; i < THREADS; i++)
        MUST(!pthread_create(&threads[i], NULL, thread, (void *)i));
    say("running\n");
    thread(NULL);
}
