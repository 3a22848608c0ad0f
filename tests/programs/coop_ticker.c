// flags: -O2 -Iinclude -pthread
// A ticker of 100 ms, beside a reader of a pipe that gets data every 270 ms only. Prints how many bytes were read,
// how often it ticked, and its worst delay in microseconds.
#include "coroutines.h"
#include <sys/wait.h>

enum { TICKS = 12 };

static int ends[2];
static int bytes_read, ticks;
static double worst;

static void write_seldom(void) {
    for (int i = 0; i < 4; i++) {
        usleep(270000);
        assert(write(ends[1], "x", 1) == 1);
    }
    _exit(0);
}

static void read_all(void *unused) {
    char byte;
    while (read(ends[0], &byte, 1) == 1)
        bytes_read++;
}

static void tick(void *unused) {
    double begun = now();
    for (ticks = 1; ticks <= TICKS; ticks++) {
        double due = begun + ticks * 0.1, left = due - now();
        if (left > 0)
            usleep((unsigned)(left * 1e6));
        double late = now() - due;
        if (late > worst)
            worst = late;
    }
    ticks--;
}

int main(void) {
    assert(pipe(ends) == 0);
    pid_t writer = fork();
    assert(writer >= 0);
    if (writer == 0)
        write_seldom();
    close(ends[1]);
    go("ticker", tick, NULL);
    go("reader", read_all, NULL);
    run();
    waitpid(writer, NULL, 0);
    printf("%d %d %.0f\n", bytes_read, ticks, worst * 1e6);
    return 0;
}
