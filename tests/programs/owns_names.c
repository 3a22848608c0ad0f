// flags: -O1 -fno-builtin -D_GNU_SOURCE -pthread -rdynamic
/* Defines functions with names of the C library, as profilers do that are linked in. Each prints how often it was
 * called: exactly as often as this program calls it. */
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static int clocks, locks, masks, lists, lookups, keys, environments, identities;

static void *real(const char *name) {
    void *library = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
    return dlvsym(library, name, "GLIBC_2.2.5") ?: dlvsym(library, name, "GLIBC_2.17");
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    static int (*next)(clockid_t, struct timespec *);
    clocks++;
    if (!next)
        next = real("clock_gettime");
    return next(clock, time);
}

int pthread_mutex_lock(pthread_mutex_t *mutex) {
    static int (*next)(pthread_mutex_t *);
    locks++;
    free(malloc(24));
    if (!next)
        next = real("pthread_mutex_lock");
    return next(mutex);
}

int pthread_sigmask(int how, const sigset_t *set, sigset_t *old) {
    masks++;
    return sigprocmask(how, set, old);
}

int dl_iterate_phdr(int (*show)(struct dl_phdr_info *, size_t, void *), void *data) {
    static int (*next)(int (*)(struct dl_phdr_info *, size_t, void *), void *);
    lists++;
    if (!next)
        next = real("dl_iterate_phdr");
    return next(show, data);
}

void *dlsym(void *handle, const char *name) {
    lookups++;
    return dlvsym(handle, name, "GLIBC_2.2.5");
}

int pthread_key_create(pthread_key_t *key, void (*destructor)(void *)) {
    (void)key;
    (void)destructor;
    keys++;
    return 11;
}

char *getenv(const char *name) {
    (void)name;
    environments++;
    return NULL;
}

pid_t getpid(void) {
    identities++;
    return 1;
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static void *thread(void *unused) {
    for (int i = 0; i < 5; i++) {
        pthread_mutex_lock(&mutex);
        free(malloc(100));
        pthread_mutex_unlock(&mutex);
    }
    return unused;
}

int main(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    pthread_t other;
    pthread_create(&other, NULL, thread, NULL);
    pthread_join(other, NULL);
    int fd = open("/dev/null", O_WRONLY);
    if (write(fd, "abc", 3) != 3)
        return 1;
    close(fd);
    printf("clock_gettime %d, pthread_mutex_lock %d, pthread_sigmask %d, dl_iterate_phdr %d, dlsym %d, "
           "pthread_key_create %d, getenv %d, getpid %d\n",
           clocks, locks, masks, lists, lookups, keys, environments, identities);
    return 0;
}
