/* What the loads share: their arguments, their clock, and the line that they print.
 *
 * A load times its own loop and prints one line, `<unit> <number>`, on stdout, so that neither its
 * start-up nor what a tool does before and after main() is in the figure. */
#ifndef WEIR_BENCH_HARNESS_H
#define WEIR_BENCH_HARNESS_H

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* The monotonic clock, in nanoseconds. */
static inline double clock_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Argument number `index`, a count of at least 1; anything else ends the load with status 2. */
static inline long count_argument(int argc, char **argv, int index) {
    long count = index < argc ? atol(argv[index]) : 0;
    if (count < 1) {
        fprintf(stderr, "argument %d must be a count of at least 1\n", index);
        exit(2);
    }
    return count;
}

static inline void print_result(const char *unit, double value) {
    printf("%s %.4f\n", unit, value);
}

/* One step of the linear congruential generator that picks slots and sizes (Numerical Recipes). */
static inline unsigned next_random(unsigned state) {
    return state * 1664525u + 1013904223u;
}

enum { SLOTS = 64 };

/* The slot that a random state picks: one of 64. */
static inline unsigned random_slot(unsigned state) {
    return (state >> 8) % SLOTS;
}

/* The size that it picks: 16 to 527 bytes. */
static inline size_t random_size(unsigned state) {
    return 16 + ((state >> 14) & 511);
}

#endif
