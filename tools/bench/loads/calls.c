/* calls FUNCTION COUNT: one function again and again, for a simulator that counts instructions.
 *
 * What is to be counted happens below the function measured_section, and nothing else does; the
 * simulator is told to count there alone (callgrind's --toggle-collect). A first round outside it
 * leaves to nobody the cost of a first call. Prints how many calls the sections held. */
#include "harness.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = 64 };

static void *blocks[BLOCK];
static int source, sink;
static char buffer[64];

static void mallocs(void) {
    for (int i = 0; i < BLOCK; i++)
        blocks[i] = malloc(16 + 8 * (size_t)i);
}

static void frees(void) {
    for (int i = 0; i < BLOCK; i++)
        free(blocks[i]);
}

static void reads(void) {
    for (int i = 0; i < BLOCK; i++)
        if (read(source, buffer, sizeof buffer) != sizeof buffer)
            exit(1);
}

static void writes(void) {
    for (int i = 0; i < BLOCK; i++)
        if (write(sink, buffer, sizeof buffer) != sizeof buffer)
            exit(1);
}

static void nothing(void) {}

struct plan {
    const char *function;
    void (*before)(void), (*section)(void), (*after)(void);
};

static const struct plan plans[] = {
    {"malloc", nothing, mallocs, frees},
    {"free", mallocs, frees, nothing},
    {"read", nothing, reads, nothing},
    {"write", nothing, writes, nothing},
};

__attribute__((noinline)) void measured_section(void (*section)(void)) {
    section();
    /* No tail call: the simulator watches for the return. */
    __asm__ volatile("" ::: "memory");
}

int main(int argc, char **argv) {
    long count = count_argument(argc, argv, 2);
    const struct plan *plan = NULL;
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++)
        if (strcmp(plans[i].function, argv[1]) == 0)
            plan = &plans[i];
    if (!plan)
        return 2;
    source = open("/dev/zero", O_RDONLY);
    sink = open("/dev/null", O_WRONLY);
    plan->before();
    plan->section();
    plan->after();
    long done = 0;
    for (; done < count; done += BLOCK) {
        plan->before();
        measured_section(plan->section);
        plan->after();
    }
    print_result("calls", (double)done);
    return 0;
}
