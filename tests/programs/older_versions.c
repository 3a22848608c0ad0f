// flags: -O1 -fno-builtin -D_GNU_SOURCE -pthread
/* Calls functions in the C library's oldest versions, which differ from the newer ones. The old posix_spawn runs a
 * file by a shell if the kernel cannot execute it, the old quick_exit runs the thread's destructors, and an old condition
 * variable is a pointer to a new one. */
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef NEWER
__asm__(".symver posix_spawn, posix_spawn@GLIBC_2.2.5");
__asm__(".symver posix_spawnp, posix_spawnp@GLIBC_2.2.5");
__asm__(".symver quick_exit, quick_exit@GLIBC_2.10");
__asm__(".symver pthread_cond_wait, pthread_cond_wait@GLIBC_2.2.5");
__asm__(".symver pthread_cond_timedwait, pthread_cond_timedwait@GLIBC_2.2.5");
__asm__(".symver pthread_cond_signal, pthread_cond_signal@GLIBC_2.2.5");
#endif

extern char **environ;
extern void *__dso_handle;
extern int __cxa_thread_atexit_impl(void (*)(void *), void *, void *);

static void destructor(void *unused) {
    (void)unused;
    if (write(1, "destructor\n", 11) != 11)
        _exit(99);
}

static void spawn(int (*how)(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
                             char *const *, char *const *),
                  const char *name) {
    char *arguments[] = {"./script", NULL};
    pid_t child;
    int status = 0, error = how(&child, arguments[0], NULL, NULL, arguments, environ);
    if (!error)
        waitpid(child, &status, 0);
    printf("%s: %d, %d\n", name, error, WEXITSTATUS(status));
    fflush(stdout);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static union {
    pthread_cond_t condition;
    unsigned long first;
} place;
static int is_set;

static void *sets(void *unused) {
    pthread_mutex_lock(&mutex);
    is_set = 1;
    pthread_cond_signal(&place.condition);
    pthread_mutex_unlock(&mutex);
    return unused;
}

static void wait_at_conditions(void) {
    const struct timespec past = {.tv_sec = 1};
    const char *kinds[] = {"a state", "a pointer"};
    pthread_mutex_lock(&mutex);
    for (int i = 0; i < 3; i++) {
        place.first = 0;
        int error = pthread_cond_timedwait(&place.condition, &mutex, &past);
        printf("pthread_cond_timedwait: %d, %s\n", error, kinds[place.first >> 32 != 0]);
    }
    for (int i = 0; i < 3; i++) {
        pthread_t thread;
        place.first = is_set = 0;
        pthread_create(&thread, NULL, sets, NULL);
        while (!is_set)
            pthread_cond_wait(&place.condition, &mutex);
        printf("pthread_cond_wait: %s\n", kinds[place.first >> 32 != 0]);
        pthread_mutex_unlock(&mutex);
        pthread_join(thread, NULL);
        pthread_mutex_lock(&mutex);
    }
    fflush(stdout);
}

int main(void) {
    wait_at_conditions();
    FILE *script = fopen("script", "w");
    fputs("exit 7\n", script);
    fclose(script);
    chmod("script", 0700);
    spawn(posix_spawn, "posix_spawn");
    spawn(posix_spawnp, "posix_spawnp");
    __cxa_thread_atexit_impl(destructor, NULL, __dso_handle);
    quick_exit(3);
}
