// flags: -O2 -Iinclude -pthread
// Coroutines that each do what their name says, while another one waits.
#include "coroutines.h"

static int pipes[2];

static void waits(void *unused) {
    char bytes[100];
    for (int i = 0; i < 7; i++)
        assert(read(pipes[0], bytes, 100) == 100);
}

static void works(void *unused) {
    char bytes[100] = {0};
    void *blocks[1000];
    for (int i = 0; i < 7; i++) {
        usleep(3000);
        assert(write(pipes[1], bytes, 100) == 100);
    }
    for (int i = 0; i < 1000; i++)
        blocks[i] = malloc(1000);
    for (int i = 0; i < 990; i++)
        free(blocks[i]);
    blocks[990] = realloc(blocks[990], 5000);
}

static void disabled(void *unused) {
    int ends[2];
    char byte;
    struct timeval time = {0, 120000};
    assert(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    assert(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time) == 0);
    printf("was %d\n", weir_coop_enable_if_present(WEIR_COOP_COROUTINE, 0));
    assert(read(ends[0], &byte, 1) == -1 && errno == EAGAIN);
    printf("was %d\n", weir_coop_enable_if_present(WEIR_COOP_COROUTINE, 1));
    printf("was %d\n", weir_coop_enable_if_present(WEIR_COOP_THREAD, 0));
    assert(read(ends[0], &byte, 1) == -1 && errno == EAGAIN);
    printf("was %d\n", weir_coop_enable_if_present(WEIR_COOP_THREAD, 1));
    assert(read(ends[0], &byte, 1) == -1 && errno == EAGAIN);
}

int main(void) {
    assert(pipe(pipes) == 0);
    struct weir_coop other = runtime;
    printf("null %d\n", weir_coop_register_if_present(NULL));
    other.abi = 2;
    printf("abi %d\n", weir_coop_register_if_present(&other));
    other = runtime;
    other.size = 16;
    printf("short %d\n", weir_coop_register_if_present(&other));
    other = runtime;
    other.wait_fd = NULL;
    printf("lacking %d\n", weir_coop_register_if_present(&other));
    go("waits", waits, NULL);
    go("works", works, NULL);
    go("disabled", disabled, NULL);
    run();
    printf("again %d\n", weir_coop_register_if_present(&runtime));
    printf("scope %d\n", weir_coop_enable_if_present(7, 1));
    printf("outside %d\n", weir_coop_enable_if_present(WEIR_COOP_COROUTINE, 1));
    return 0;
}
