/* What a program under Weir would find by dlsym, as far as the tests of the crate need it; and calls of the
 * registered functions, by the header's types. */
#define WEIR_NO_LOOKUP
#include <weir.h>

#include <errno.h>
#include <poll.h>
#include <string.h>

weir_coop_register_fn weir_coop_register;
weir_coop_enable_fn weir_coop_enable;
weir_coop_ended_fn weir_coop_ended;

static struct weir_coop runtime;

int weir_coop_register(const struct weir_coop *offered) {
    if (offered->abi != WEIR_COOP_ABI || offered->size != sizeof runtime)
        return -EINVAL;
    if (runtime.abi != 0)
        return -EALREADY;
    runtime = *offered;
    return 0;
}

static int enabled[2] = {1, 1};

int weir_coop_enable(int scope, int enable) {
    if (scope == WEIR_COOP_COROUTINE && runtime.current() == NULL)
        return -EINVAL;
    int was = enabled[scope];
    enabled[scope] = enable;
    return was;
}

void *stand_in_ended;

void weir_coop_ended(void *coroutine) { stand_in_ended = coroutine; }

const char *stand_in_name(void) { return runtime.name; }
uint64_t stand_in_flags(void) { return runtime.flags; }
void *stand_in_current(void) { return runtime.current(); }
int stand_in_wait_fd(int fd, short events, int timeout_ms) {
    return runtime.wait_fd(fd, events, timeout_ms);
}
int stand_in_poll(int fd, short events, short *revents, int timeout_ms) {
    struct pollfd array[2] = {{.fd = -1}, {.fd = fd, .events = events}};
    int ready = runtime.poll(array, 2, timeout_ms);
    *revents = array[1].revents;
    return ready;
}
int stand_in_sleep_ns(uint64_t ns) { return runtime.sleep_ns(ns); }
void stand_in_fd_closing(int fd) { runtime.fd_closing(fd); }
int stand_in_stack_bounds(void *coroutine, void **low, void **high) {
    return runtime.stack_bounds(coroutine, low, high);
}
static void add_one(void *number) { ++*(int *)number; }
int stand_in_run_blocking(int *number) { return runtime.run_blocking(add_one, number); }
size_t stand_in_coroutine_name(void *coroutine, char *name, size_t size) {
    memset(name, '.', size);
    return runtime.coroutine_name(coroutine, name, size - 1);
}
