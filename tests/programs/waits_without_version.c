// flags: -O1 -shared -fPIC -nostdlib
/* A library that was linked without the C library, so it needs its functions in no version. */
#include <pthread.h>

int wait_without_version(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *end) {
    int error = pthread_cond_timedwait(condition, mutex, end);
    return error;
}
