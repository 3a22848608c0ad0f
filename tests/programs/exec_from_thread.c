// flags: -O1 -fno-builtin -pthread
/* A thread replaces the image while others allocate and write. */
#include "witness.h"
#include <pthread.h>

static int null;

static void *works(void *unused) {
    (void)unused;
    for (;;) {
        free(malloc(100));
        (void)!write(null, "x", 1);
    }
    return NULL;
}

static void *replaces(void *arguments) {
    usleep(2000);
    execv("/proc/self/exe", arguments);
    MUST(0);
    return NULL;
}

int main(int argc, char **argv) {
    int left = argc > 1 ? atoi(argv[1]) : 20;
    if (!left) {
        MUST(make(1234));
        tell();
        return 8;
    }
    null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    char next[12];
    snprintf(next, sizeof next, "%d", left - 1);
    char *arguments[] = {argv[0], next, NULL};
    pthread_t thread;
    for (int i = 0; i < 3; i++)
        MUST(!pthread_create(&thread, NULL, works, NULL));
    MUST(!pthread_create(&thread, NULL, replaces, arguments));
    works(NULL);
}
