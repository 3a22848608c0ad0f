// flags: -O1 -fno-optimize-sibling-calls -pthread
// Makes blocks at sites of known names, and frees some of them: in other threads, in signal handlers, by realloc. Says what is
// live at each site, what was at the peak, and how many were temporary. Sites are the functions that are not inlined.
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SITE __attribute__((noinline, noclone)) static

enum { MANY = 1000, THREADS = 8, TOWER = 64, MIB = 1 << 20 };

// The compiler knows malloc and free, and would leave out pairs of them.
static void *volatile seen;

SITE void *kept(size_t size) { return seen = malloc(size); }
SITE void *zeroed(size_t size) { return seen = calloc(3, size); }
SITE void *aligned(size_t size) {
    void *block = NULL;
    if (posix_memalign(&block, 256, size) != 0) abort();
    return seen = block;
}
SITE void *for_others(size_t size) { return seen = malloc(size); }
SITE void *by_threads(size_t size) { return seen = malloc(size); }
SITE void *first_of_grown(size_t size) { return seen = malloc(size); }
SITE void *grown(void *block, size_t size) { return seen = realloc(block, size); }
SITE void *stays(size_t size) { return seen = malloc(size); }
SITE void *too_large(void *block) { return realloc(block, PTRDIFF_MAX - 4096); }
SITE void *vanishes(size_t size) { return seen = malloc(size); }
SITE void *by_handler(size_t size) { return seen = malloc(size); }
SITE void *tower(size_t size) { return seen = malloc(size); }
SITE void *in_turn_a(size_t size) { return seen = malloc(size); }
SITE void *in_turn_b(size_t size) { return seen = malloc(size); }
SITE void *child_s(size_t size) { return seen = malloc(size); }
SITE void temporary(size_t size) { free(seen = malloc(size)); }
SITE void not_temporary(size_t size) {
    void *first = seen = malloc(size), *second = seen = malloc(size);
    free(first);
    free(second);
}

static void *shared[MANY];
static void *of_threads[THREADS][MANY];
static void *of_handler[2];

static void *frees(void *unused) {
    for (int i = 0; i < MANY; i++) free(shared[i]);
    return unused;
}

static void *makes(void *mine) {
    void **blocks = mine;
    for (int i = 0; i < MANY; i++) blocks[i] = by_threads(16 + i % 100);
    return NULL;
}

static void handler(int number) {
    (void)number;
    of_handler[0] = by_handler(700);
    of_handler[1] = by_handler(800);
    free(of_handler[0]);
}

static void in_thread(void *(*work)(void *), void *argument) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, work, argument) != 0) abort();
    pthread_join(thread, NULL);
}

static size_t size(void *block) { return malloc_usable_size(block); }

int main(void) {
    static char buffer[4096];
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    size_t of_kept = 0, of_zeroed = 0, of_aligned = 0, of_by_threads = 0, of_tower = 0, of_a = 0, of_child = 0;
    static void *blocks[MANY];

    for (int i = 0; i < MANY; i++) of_kept += size(kept(1 + i));
    for (int i = 0; i < 10; i++) of_zeroed += size(zeroed(100));
    for (int i = 0; i < 10; i++) of_aligned += size(aligned(100 * i));

    for (int i = 0; i < MANY; i++) shared[i] = for_others(64);
    in_thread(frees, NULL);

    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, makes, of_threads[i]) != 0) abort();
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < THREADS; i++)
        for (int j = 0; j < MANY; j++)
            if (j % 2 == 0) free(of_threads[i][j]);
            else of_by_threads += size(of_threads[i][j]);

    void *block = first_of_grown(10);
    for (int i = 1; i <= 50; i++) block = grown(block, 100 * i);
    size_t of_grown = size(block);

    // The compiler must not know that the block is still there.
    void *stayed = stays(1234);
    size_t of_stays = size(stayed);
    if (too_large(stayed) != NULL) abort();
    seen = realloc(vanishes(50), 0);

    signal(SIGUSR1, handler);
    raise(SIGUSR1);
    size_t of_by_handler = size(of_handler[1]);

    // Addresses go from one site to the other.
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < MANY; i++) blocks[i] = round % 2 ? in_turn_a(48) : in_turn_b(48);
        if (round == 19) break;
        for (int i = MANY - 1; i >= 0; i--) free(blocks[i]);
    }
    for (int i = 0; i < MANY; i++) of_a += size(blocks[i]);

    for (int i = 0; i < 300; i++) temporary(200);
    for (int i = 0; i < 300; i++) not_temporary(200);

    static void *floors[TOWER];
    for (int i = 0; i < TOWER; i++) of_tower += size(floors[i] = tower(MIB));
    for (int i = 0; i < TOWER; i++) free(floors[i]);

    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        // What the parent made is at no site of the child's.
        for (int i = 0; i < MANY; i++) free(blocks[i]);
        for (int i = 0; i < MANY; i++) of_child += size(child_s(48));
        printf("child child_s %zu\n", of_child);
        fflush(stdout);
        _exit(0);
    }
    waitpid(child, NULL, 0);

    printf("live kept %zu\n", of_kept);
    printf("live zeroed %zu\n", of_zeroed);
    printf("live aligned %zu\n", of_aligned);
    printf("live by_threads %zu\n", of_by_threads);
    printf("live grown %zu\n", of_grown);
    printf("live stays %zu\n", of_stays);
    printf("live by_handler %zu\n", of_by_handler);
    printf("live in_turn_a %zu\n", of_a);
    printf("peak tower %zu\n", of_tower);
    printf("peak kept %zu\n", of_kept);
    printf("peak by_threads %zu\n", of_by_threads);
    printf("peak in_turn_a %zu\n", of_a);
    printf("temporary temporary 300\n");
    // The first of the pair is freed after the second was made, which is the last one then.
    printf("temporary not_temporary 300\n");
    // A block that grows is freed before the thread makes another; the last one stays.
    printf("temporary grown 49\n");
    printf("temporary first_of_grown 1\n");
    printf("temporary vanishes 1\n");
    return 0;
}
