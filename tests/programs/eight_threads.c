// flags: -O1 -fno-builtin -pthread @counting
/* Eight threads that exchange blocks and write. Another thread than the one that allocated a block frees it.
 * Prints a sum that depends on all data that was read and written. */
#include "witness.h"
#include <pthread.h>

enum { THREADS = 8, ROUNDS = 20000, SHELF = 64 };
static void *shelf[SHELF];
static pthread_barrier_t barrier;
static unsigned long sums[THREADS];

static void *thread(void *argument) {
    size_t number = (size_t)argument;
    char name[32];
    snprintf(name, sizeof name, "file-%zu", number);
    int fd = (int)TRY(open, open(name, O_RDWR | O_CREAT | O_TRUNC, 0600));
    MUST(fd >= 0);
    unsigned long random = number + 1;
    for (size_t i = 0; i < ROUNDS; i++) {
        random = random * 6364136223846793005UL + 1;
        size_t size = random >> 54;
        char *block = make(size + 1);
        MUST(block);
        block[0] = (char)random;
        if (i % 50 == 0) {
            MUST(MOVE(pwrite, 1, pwrite(fd, block, 1, (off_t)(i / 50))) == 1);
            char back;
            MUST(MOVE(pread, 1, pread(fd, &back, 1, (off_t)(i / 50))) == 1);
            sums[number] = sums[number] * 31 + (unsigned char)back;
        }
        drop(__atomic_exchange_n(&shelf[random >> 32 & (SHELF - 1)], block, __ATOMIC_ACQ_REL));
    }
    MUST(!TRY(close, close(fd)));
    pthread_barrier_wait(&barrier);
    return NULL;
}

int main(void) {
    count_again();
    pthread_t threads[THREADS];
    MUST(!pthread_barrier_init(&barrier, NULL, THREADS));
    for (size_t i = 0; i < THREADS; i++)
        MUST(!pthread_create(&threads[i], NULL, thread, (void *)i));
    for (size_t i = 0; i < THREADS; i++)
        MUST(!pthread_join(threads[i], NULL));
    for (size_t i = 0; i < THREADS; i++)
        say("%lx\n", sums[i]);
    tell_counted();
    return 3;
}
