// flags: -O1 -fno-optimize-sibling-calls -pthread
// Makes blocks of several sizes at sites of known names, in two threads, and says how many, of how many bytes, what is left of them,
// and how many were temporary. Sites are the functions that are not inlined.
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define SITE __attribute__((noinline, noclone)) static

enum { SMALL = 200000, KEPT = 40000, MIDDLE = 6000, LARGE = 200, GROWN = 4000 };

static void *volatile seen;

SITE void *small(void) { return seen = malloc(100); }
SITE void *middle(void) { return seen = calloc(1, 5000); }
SITE void *large(void) { return seen = malloc(300000); }
SITE void *kept(void) { return seen = malloc(250); }
SITE void *passed(void) { return seen = malloc(700); }
SITE void *first(void) { return seen = malloc(64); }
SITE void *grown(void *block) { return seen = realloc(block, 3000); }

static uint64_t kept_bytes, grown_bytes;
static void *to_free[MIDDLE];

static void *frees(void *nothing) {
    (void)nothing;
    for (int i = 0; i < MIDDLE; i++) free(to_free[i]);
    return NULL;
}

int main(void) {
    for (int i = 0; i < SMALL; i++) free(small());
    for (int i = 0; i < LARGE; i++) free(large());
    for (int i = 0; i < KEPT; i++) kept_bytes += malloc_usable_size(kept());
    void *two[2];
    for (int i = 0; i < MIDDLE; i += 2) {
        two[0] = middle();
        two[1] = middle();
        free(two[0]);
        free(two[1]);
    }
    for (int i = 0; i < MIDDLE; i++) to_free[i] = passed();
    pthread_t thread;
    if (pthread_create(&thread, NULL, frees, NULL) != 0) return 1;
    pthread_join(thread, NULL);
    for (int i = 0; i < GROWN; i++) grown_bytes += malloc_usable_size(grown(first()));
    printf("calls small %d\ncalls middle %d\ncalls large %d\ncalls kept %d\ncalls passed %d\ncalls grown %d\n", SMALL, MIDDLE, LARGE,
           KEPT, MIDDLE, GROWN);
    printf("bytes small %d\nbytes middle %d\nbytes large %d\nbytes kept %d\nbytes passed %d\nbytes grown %d\n", SMALL * 100,
           MIDDLE * 5000, LARGE * 300000, KEPT * 250, MIDDLE * 700, GROWN * 3000);
    printf("live kept %llu\nlive grown %llu\n", (unsigned long long)kept_bytes, (unsigned long long)grown_bytes);
    printf("temporary small %d\ntemporary large %d\ntemporary middle %d\n", SMALL, LARGE, MIDDLE / 2);
    return 0;
}
