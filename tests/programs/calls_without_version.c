// flags: -O1 -pthread -ldl
/* Waits at a condition variable: in a library that needs the function in no version, gets the oldest, and has another kind of
 * condition variable; and itself. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static const struct timespec past = {.tv_sec = 1};

static void wait_at(int (*wait)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *), const char *who) {
    union {
        pthread_cond_t condition;
        unsigned long first;
    } place = {.condition = PTHREAD_COND_INITIALIZER};
    int error = wait(&place.condition, &mutex, &past);
    printf("%s: %d, %s\n", who, error, place.first >> 32 ? "a pointer" : "a state");
}

int main(int count, char **arguments) {
    void *library = dlopen(arguments[count - 1], RTLD_NOW);
    if (!library)
        return fputs(dlerror(), stderr), 1;
    void *symbol = dlsym(library, "wait_without_version");
    pthread_mutex_lock(&mutex);
    for (int i = 0; i < 3; i++) {
        wait_at((int (*)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *))symbol, "library");
        wait_at(pthread_cond_timedwait, "program");
    }
    return 0;
}
