/* Says what is in weir.h, for comparison with the crate. */
#include <inttypes.h>
#include <stdio.h>
#define WEIR_NO_LOOKUP
#include <weir.h>

#define LINE(name, value) printf("%s %" PRIu64 "\n", name, (uint64_t)(value))
#define FIELD(name)                                                                                  \
    LINE(#name, offsetof(struct weir_coop, name));                                                   \
    LINE(#name, sizeof((struct weir_coop *)NULL)->name)
#define CONSTANT(name) LINE(#name, name)

int main(void) {
    LINE("size", sizeof(struct weir_coop));
    FIELD(abi);
    FIELD(size);
    FIELD(flags);
    FIELD(name);
    FIELD(current);
    FIELD(wait_fd);
    FIELD(poll);
    FIELD(sleep_ns);
    FIELD(fd_closing);
    FIELD(stack_bounds);
    FIELD(run_blocking);
    FIELD(coroutine_name);
    CONSTANT(WEIR_COOP_ABI);
    CONSTANT(WEIR_COOP_MIGRATES);
    CONSTANT(WEIR_COOP_SHARED_STACKS);
    CONSTANT(WEIR_COOP_MANY_WAITERS);
    CONSTANT(WEIR_COOP_INTERPOSES);
    CONSTANT(WEIR_COOP_THREAD);
    CONSTANT(WEIR_COOP_COROUTINE);
    return 0;
}
