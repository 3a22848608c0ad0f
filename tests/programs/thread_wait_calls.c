// flags: -O1 -fno-builtin -U_FORTIFY_SOURCE -pthread
/* Calls every function that waits for another thread, and the system calls that wait at a futex: a known number of times. */
#include "witness.h"
#include <linux/futex.h>
#include <threads.h>
#include <time.h>

/* A call that returns thrd_success or another constant of <threads.h>. */
#define THREAD(name, CALL)                                           \
    ({                                                               \
        note_call(DOES_##name);                                      \
        int result_ = (CALL);                                        \
        if (result_ == thrd_timedout)                                \
            note_error(DOES_##name, ETIMEDOUT);                      \
        else if (result_ != thrd_success)                            \
            note_error(DOES_##name, EINVAL);                         \
        result_;                                                     \
    })

/* Of system calls that are made by their number, only those that wait have results in a report. */
#define SYSTEM_CALL(...)              \
    ({                                \
        note_call(DOES_syscall);      \
        syscall(__VA_ARGS__);         \
    })
#define FUTEX(word, operation, value, time, value3) \
    TRY(futex, SYSTEM_CALL(SYS_futex, word, operation, value, time, NULL, value3))

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static mtx_t c11_mutex;
static cnd_t c11_condition;
static int is_set, word;

static struct timespec in(clockid_t clock, long seconds) {
    struct timespec time;
    clock_gettime(clock, &time);
    time.tv_sec += seconds;
    return time;
}

/* Nobody waits for a lock here: one that is free is no call in a report. */
static void *sets(void *nothing) {
    while (pthread_mutex_trylock(&mutex))
        bare(SYS_sched_yield, 0, NULL, 0);
    is_set = 1;
    MUST(!pthread_cond_signal(&condition));
    MUST(!pthread_mutex_unlock(&mutex));
    return nothing;
}

static int sets_c11(void *nothing) {
    while (mtx_trylock(&c11_mutex) != thrd_success)
        bare(SYS_sched_yield, 0, NULL, 0);
    is_set = 1;
    MUST(cnd_signal(&c11_condition) == thrd_success);
    MUST(mtx_unlock(&c11_mutex) == thrd_success);
    return nothing != NULL;
}

static void *meets(void *nothing) {
    pthread_barrier_wait(&barrier);
    return nothing;
}

/* Wakes one that waits at the word, as soon as there is one. Only the first attempt is a call in a report: how many it takes differs. */
static void *wakes(void *nothing) {
    long woken = SYSTEM_CALL(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    while (woken == 0) {
        bare(SYS_sched_yield, 0, NULL, 0);
        woken = bare(SYS_futex, (long)&word, (void *)FUTEX_WAKE_PRIVATE, 1);
    }
    return nothing;
}

static void *waits(void *nothing) {
    struct timespec rest = {.tv_nsec = 20000000};
    MUST(!TRY(nanosleep, nanosleep(&rest, NULL)));
    return nothing;
}

static pthread_t start(void *(*run)(void *)) {
    pthread_t thread;
    MUST(!pthread_create(&thread, NULL, run, NULL));
    return thread;
}

int main(void) {
    struct timespec later = in(CLOCK_REALTIME, 100), past = in(CLOCK_REALTIME, -1);
    struct timespec later_m = in(CLOCK_MONOTONIC, 100), past_m = in(CLOCK_MONOTONIC, -1);
    MUST(!pthread_barrier_init(&barrier, NULL, 2));
    MUST(mtx_init(&c11_mutex, mtx_timed) == thrd_success && cnd_init(&c11_condition) == thrd_success);

#define UNTIL_SET(wait)                       \
    do {                                      \
        is_set = 0;                           \
        MUST(!pthread_mutex_lock(&mutex));    \
        pthread_t other_ = start(sets);       \
        while (!is_set)                       \
            MUST(!(wait));                    \
        MUST(!pthread_mutex_unlock(&mutex));  \
        MUST(!pthread_join(other_, NULL));    \
    } while (0)
#define UNTIL_SET_C11(wait)                                              \
    do {                                                                 \
        thrd_t other_;                                                   \
        is_set = 0;                                                      \
        MUST(mtx_lock(&c11_mutex) == thrd_success);                      \
        MUST(thrd_create(&other_, sets_c11, NULL) == thrd_success);      \
        while (!is_set)                                                  \
            MUST((wait) == thrd_success);                                \
        MUST(mtx_unlock(&c11_mutex) == thrd_success);                    \
        MUST(THREAD(thrd_join, thrd_join(other_, NULL)) == thrd_success); \
    } while (0)
    for (int i = 0; i < 3; i++) {
        UNTIL_SET(pthread_cond_wait(&condition, &mutex));
        UNTIL_SET(pthread_cond_timedwait(&condition, &mutex, &later));
        UNTIL_SET(NUMBER(pthread_cond_clockwait, pthread_cond_clockwait(&condition, &mutex, CLOCK_MONOTONIC, &later_m)));
        UNTIL_SET_C11(THREAD(cnd_wait, cnd_wait(&c11_condition, &c11_mutex)));
        UNTIL_SET_C11(THREAD(cnd_timedwait, cnd_timedwait(&c11_condition, &c11_mutex, &later)));
    }
    MUST(!pthread_mutex_lock(&mutex));
    MUST(pthread_cond_timedwait(&condition, &mutex, &past) == ETIMEDOUT);
    MUST(NUMBER(pthread_cond_clockwait, pthread_cond_clockwait(&condition, &mutex, CLOCK_MONOTONIC, &past_m)) == ETIMEDOUT);
    MUST(!pthread_mutex_unlock(&mutex));
    MUST(mtx_lock(&c11_mutex) == thrd_success);
    MUST(THREAD(cnd_timedwait, cnd_timedwait(&c11_condition, &c11_mutex, &past)) == thrd_timedout);
    MUST(mtx_unlock(&c11_mutex) == thrd_success);

    pthread_t thread = start(meets);
    pthread_barrier_wait(&barrier);
    MUST(!pthread_join(thread, NULL));
    thread = start(waits);
    MUST(NUMBER(pthread_timedjoin_np, pthread_timedjoin_np(thread, NULL, &past)) == ETIMEDOUT);
    MUST(!NUMBER(pthread_timedjoin_np, pthread_timedjoin_np(thread, NULL, &later)));
    thread = start(waits);
    MUST(NUMBER(pthread_clockjoin_np, pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &past_m)) == ETIMEDOUT);
    MUST(!NUMBER(pthread_clockjoin_np, pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &later_m)));
    MUST(pthread_join(pthread_self(), NULL) == EDEADLK);

    thread = start(wakes);
    MUST(!FUTEX(&word, FUTEX_WAIT_PRIVATE, 0, NULL, 0));
    MUST(!pthread_join(thread, NULL));
    MUST(FUTEX(&word, FUTEX_WAIT, 1, NULL, 0) < 0 && errno == EAGAIN);
    MUST(FUTEX(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &past, FUTEX_BITSET_MATCH_ANY) < 0 && errno == ETIMEDOUT);
    /* The last argument of all: no bit. */
    MUST(FUTEX(&word, FUTEX_WAIT_BITSET, 0, NULL, 0) < 0 && errno == EINVAL);
    MUST(!FUTEX(&word, FUTEX_LOCK_PI, 0, NULL, 0));
    MUST(!SYSTEM_CALL(SYS_futex, &word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
    tell();
    return 0;
}
