// flags: -O1 -fno-builtin -pthread
/* More threads than slots that make no call; then one that does. */
#include <pthread.h>
#include <stdlib.h>

static void *nothing(void *unused) { return unused; }

static void *something(void *unused) {
    free(malloc(100));
    return unused;
}

static int run(void *(*body)(void *)) {
    pthread_t thread;
    return pthread_create(&thread, NULL, body, NULL) || pthread_join(thread, NULL);
}

int main(void) {
    for (int i = 0; i < 2000; i++)
        if (run(nothing))
            return 1;
    return run(something);
}
