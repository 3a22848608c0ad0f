// flags: -O1 -fno-optimize-sibling-calls -pthread
// Two threads allocate on 400,000 stacks each, more than there is room for, and another thread frees half of the blocks.
#include <pthread.h>
#include <stdlib.h>

enum { DEPTH = 19, MANY = 400000 };
static void *blocks[2][MANY];

// Which of two calls each level makes is a bit of the path.
__attribute__((noinline)) static void descend(int depth, unsigned path, void **block) {
    if (depth == 0) {
        *block = malloc(32);
        return;
    }
    if (path & 1) {
        descend(depth - 1, path >> 1, block);
        __asm__ volatile("nop" ::: "memory");
    } else {
        descend(depth - 1, path >> 1, block);
        __asm__ volatile("nop; nop" ::: "memory");
    }
}

static void *makes(void *mine) {
    for (unsigned i = 0; i < MANY; i++) descend(DEPTH, i, (void **)mine + i);
    return NULL;
}

int main(void) {
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        if (pthread_create(&threads[i], NULL, makes, blocks[i]) != 0) return 1;
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < MANY; i += 2) {
        free(blocks[0][i]);
        free(blocks[1][i]);
    }
    return 0;
}
