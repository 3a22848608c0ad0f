// flags: -O1 -fno-optimize-sibling-calls -pthread
// Makes blocks that live for times it knows, at sites of known names, and says of each site how many blocks it has freed by how long they
// lived, and how many bytes are live by when they were made. By malloc, realloc, in a thread, and freed by another thread.
//
// Lines: NAME freed CLASS SURELY ALL, and NAME live BYTES before|after: before or after the first second. All blocks lived for no less than
// those of the class do. So many are surely in it: on a busy machine others live longer.
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SITE __attribute__((noinline, noclone)) static

static void *volatile seen;

SITE void *at_start(void) { return seen = malloc(1000); }
SITE void *in_time(void) { return seen = malloc(700); }
SITE void *at_once(void) { return seen = malloc(200); }
SITE void *for_a_while(void) { return seen = malloc(3000); }
SITE void *grown(void *block) { return seen = realloc(block, 90000); }
SITE void *stays(void *block) { return seen = realloc(block, (size_t)-1 / 2 - 4096); }
SITE void *by_thread(void) { return seen = malloc(400); }
SITE void *smallest(void) { return seen = malloc(1); }

static void sleep_ms(long ms) {
    struct timespec left = {ms / 1000, ms % 1000 * 1000000};
    while (nanosleep(&left, &left) != 0) {}
}

static double ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void *thread(void *blocks) {
    for (int i = 0; i < 50; i++) ((void **)blocks)[i] = by_thread();
    return NULL;
}

static void *kept[200];

int main(void) {
    size_t bytes = 0;
    for (int i = 0; i < 100; i++) bytes += malloc_usable_size(kept[i] = at_start());
    int at_once_surely = 0, smallest_surely = 0;
    for (int i = 0; i < 1000; i++) {
        double began = ms();
        free(at_once());
        double between = ms();
        free(smallest());
        at_once_surely += between - began < 1;
        smallest_surely += ms() - between < 1;
    }
    double first_made = ms();
    void *of_thread[50], *while_[20];
    pthread_t other;
    if (pthread_create(&other, NULL, thread, of_thread) != 0) abort();
    pthread_join(other, NULL);
    for (int i = 0; i < 20; i++) while_[i] = for_a_while();
    // A block keeps its age where it cannot be made larger.
    for (int i = 0; i < 20; i++) if (stays(while_[i]) != NULL) abort();
    sleep_ms(1300);
    // Its first part ends here, and a second one begins.
    double grew = ms();
    for (int i = 0; i < 10; i++) while_[i] = grown(while_[i]);
    for (int i = 0; i < 50; i++) free(of_thread[i]);
    size_t late = 0;
    for (int i = 0; i < 100; i++) late += malloc_usable_size(kept[100 + i] = in_time());
    sleep_ms(30);
    for (int i = 0; i < 20; i++) free(while_[i]);
    int is_in_time = ms() - first_made < 10000, is_soon = ms() - grew < 100;
    printf("at_start live %zu before\n", bytes);
    printf("in_time live %zu after\n", late);
    printf("at_once freed 0 %d 1000\n", at_once_surely);
    printf("smallest freed 0 %d 1000\n", smallest_surely);
    printf("for_a_while freed 4 %d 20\n", is_in_time ? 20 : 0);
    printf("grown freed 2 %d 10\n", is_soon ? 10 : 0);
    printf("by_thread freed 4 %d 50\n", is_in_time ? 50 : 0);
    return 0;
}
