// flags: -O1 -fno-optimize-sibling-calls -pthread
// Makes blocks that live for times it knows, at sites of known names, and says of each site how many blocks it has freed by how long they
// lived, and how many bytes are live by when they were made. By malloc, realloc, in a thread, and freed by another thread.
//
// Lines: NAME freed CLASS NUMBER, and NAME live BYTES before|after: before or after the first second.
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

static void *thread(void *blocks) {
    for (int i = 0; i < 50; i++) ((void **)blocks)[i] = by_thread();
    return NULL;
}

static void *kept[200];

int main(void) {
    size_t bytes = 0;
    for (int i = 0; i < 100; i++) bytes += malloc_usable_size(kept[i] = at_start());
    for (int i = 0; i < 1000; i++) {
        free(at_once());
        free(smallest());
    }
    void *of_thread[50], *while_[20];
    pthread_t other;
    if (pthread_create(&other, NULL, thread, of_thread) != 0) abort();
    pthread_join(other, NULL);
    for (int i = 0; i < 20; i++) while_[i] = for_a_while();
    // A block keeps its age where it cannot be made larger.
    for (int i = 0; i < 20; i++) if (stays(while_[i]) != NULL) abort();
    sleep_ms(1300);
    // Its first part ends here, and a second one begins.
    for (int i = 0; i < 10; i++) while_[i] = grown(while_[i]);
    for (int i = 0; i < 50; i++) free(of_thread[i]);
    size_t late = 0;
    for (int i = 0; i < 100; i++) late += malloc_usable_size(kept[100 + i] = in_time());
    sleep_ms(30);
    for (int i = 0; i < 20; i++) free(while_[i]);
    printf("at_start live %zu before\n", bytes);
    printf("in_time live %zu after\n", late);
    puts("at_once freed 0 1000");
    puts("smallest freed 0 1000");
    puts("for_a_while freed 4 20");
    puts("grown freed 2 10");
    puts("by_thread freed 4 50");
    return 0;
}
