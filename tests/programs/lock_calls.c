// flags: -O1 -fno-builtin -U_FORTIFY_SOURCE -pthread
/* Calls every function that takes a lock: a known number of times where it is taken, and as often where it is free, which is
 * no call in a report. */
#include "witness.h"
#include <semaphore.h>
#include <threads.h>
#include <time.h>

/* Programs can no longer be linked to these names; those that were still find them. */
#ifdef __x86_64__
#define OLDEST "GLIBC_2.2.5"
#else
#define OLDEST "GLIBC_2.17"
#endif
#define OLD(as, name)                    \
    __asm__(".symver " #as ", " #name "@" OLDEST); \
    extern int as(void *)
OLD(mutex_lock, __pthread_mutex_lock);
OLD(rdlock, __pthread_rwlock_rdlock);
OLD(wrlock, __pthread_rwlock_wrlock);

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static sem_t semaphore;

/* Where the two threads are: each waits here for the other, without a lock. */
static int turn;

static void wait_for(int number) {
    while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) != number)
        bare(SYS_sched_yield, 0, NULL, 0);
}

static void give(int number) { __atomic_store_n(&turn, number, __ATOMIC_RELEASE); }

/* What the other thread holds, and gives back once the first one waits for it. */
enum { MUTEX = 1, WRITE, READ, SEMAPHORE, END };

/* Returns once the first thread is in the call that waits for what the other one holds. It has noted itself in the lock before
 * it sleeps there. That it sleeps is not enough: an emulator has locks of its own. */
static void let_it_wait(int what) {
    const unsigned READERS_SHIFT = 3, WRITER = 2, SLEEPS = 2;
    for (;;) {
        unsigned readers = __atomic_load_n(&lock.__data.__readers, __ATOMIC_ACQUIRE);
        if (what == MUTEX && __atomic_load_n(&mutex.__data.__lock, __ATOMIC_ACQUIRE) == 2)
            return;
        if (what == WRITE && (readers >> READERS_SHIFT || __atomic_load_n(&lock.__data.__writers_futex, __ATOMIC_ACQUIRE) & SLEEPS))
            return;
        if (what == READ && readers & WRITER)
            return;
        if (what == SEMAPHORE && __atomic_load_n((unsigned *)&semaphore + 1, __ATOMIC_ACQUIRE))
            return;
        bare(SYS_sched_yield, 0, NULL, 0);
    }
}

static void *other(void *nothing) {
    for (;;) {
        int what;
        while ((what = __atomic_load_n(&turn, __ATOMIC_ACQUIRE)) <= 0)
            bare(SYS_sched_yield, 0, NULL, 0);
        if (what == END)
            return nothing;
        if (what == MUTEX)
            MUST(!pthread_mutex_lock(&mutex));
        if (what == WRITE)
            MUST(!pthread_rwlock_wrlock(&lock));
        if (what == READ)
            MUST(!pthread_rwlock_rdlock(&lock));
        give(-what);
        let_it_wait(what);
        if (what == MUTEX)
            MUST(!pthread_mutex_unlock(&mutex));
        if (what == WRITE || what == READ)
            MUST(!pthread_rwlock_unlock(&lock));
        if (what == SEMAPHORE)
            MUST(!sem_post(&semaphore));
        while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) == -what)
            bare(SYS_sched_yield, 0, NULL, 0);
    }
}

/* Has the other thread hold something. */
static void held(int what) {
    give(what);
    wait_for(-what);
}

static struct timespec in(clockid_t clock, long seconds) {
    struct timespec time;
    clock_gettime(clock, &time);
    time.tv_sec += seconds;
    return time;
}

int main(void) {
    MUST(!sem_init(&semaphore, 0, 0));
    pthread_t thread;
    MUST(!pthread_create(&thread, NULL, other, NULL));
    struct timespec later = in(CLOCK_REALTIME, 100), past = in(CLOCK_REALTIME, -1);
    struct timespec later_m = in(CLOCK_MONOTONIC, 100), past_m = in(CLOCK_MONOTONIC, -1);

#define TAKES(name, what, take, give_back) \
    do {                                   \
        held(what);                        \
        MUST(!NUMBER(name, take));         \
        MUST(!give_back);                  \
        MUST(!take);                       \
        MUST(!give_back);                  \
        give(0);                           \
    } while (0)
#define MUTEX_GIVEN pthread_mutex_unlock(&mutex)
#define LOCK_GIVEN pthread_rwlock_unlock(&lock)
    for (int i = 0; i < 3; i++) {
        TAKES(pthread_mutex_lock, MUTEX, pthread_mutex_lock(&mutex), MUTEX_GIVEN);
        TAKES(__pthread_mutex_lock, MUTEX, mutex_lock(&mutex), MUTEX_GIVEN);
        TAKES(pthread_mutex_timedlock, MUTEX, pthread_mutex_timedlock(&mutex, &later), MUTEX_GIVEN);
        TAKES(pthread_mutex_clocklock, MUTEX, pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, &later_m), MUTEX_GIVEN);
        /* In the C library, a mutex of C11 is one of POSIX. */
        TAKES(mtx_lock, MUTEX, mtx_lock((mtx_t *)&mutex), MUTEX_GIVEN);
        TAKES(mtx_timedlock, MUTEX, mtx_timedlock((mtx_t *)&mutex, &later), MUTEX_GIVEN);
        TAKES(pthread_rwlock_rdlock, WRITE, pthread_rwlock_rdlock(&lock), LOCK_GIVEN);
        TAKES(__pthread_rwlock_rdlock, WRITE, rdlock(&lock), LOCK_GIVEN);
        TAKES(pthread_rwlock_timedrdlock, WRITE, pthread_rwlock_timedrdlock(&lock, &later), LOCK_GIVEN);
        TAKES(pthread_rwlock_clockrdlock, WRITE, pthread_rwlock_clockrdlock(&lock, CLOCK_MONOTONIC, &later_m), LOCK_GIVEN);
        TAKES(pthread_rwlock_wrlock, READ, pthread_rwlock_wrlock(&lock), LOCK_GIVEN);
        TAKES(__pthread_rwlock_wrlock, READ, wrlock(&lock), LOCK_GIVEN);
        TAKES(pthread_rwlock_timedwrlock, WRITE, pthread_rwlock_timedwrlock(&lock, &later), LOCK_GIVEN);
        TAKES(pthread_rwlock_clockwrlock, WRITE, pthread_rwlock_clockwrlock(&lock, CLOCK_MONOTONIC, &later_m), LOCK_GIVEN);
#define SEMAPHORE_GIVEN sem_post(&semaphore)
#define PASSES(name, take)         \
    do {                           \
        held(SEMAPHORE);           \
        MUST(!TRY(name, take));    \
        MUST(!SEMAPHORE_GIVEN);    \
        MUST(!take);               \
        give(0);                   \
    } while (0)
        PASSES(sem_wait, sem_wait(&semaphore));
        PASSES(sem_timedwait, sem_timedwait(&semaphore, &later));
        PASSES(sem_clockwait, sem_clockwait(&semaphore, CLOCK_MONOTONIC, &later_m));
    }
    give(END);
    MUST(!pthread_join(thread, NULL));

    /* A reader beside readers does not wait. */
    MUST(!pthread_rwlock_rdlock(&lock));
    MUST(!pthread_rwlock_rdlock(&lock));
    MUST(NUMBER(pthread_rwlock_timedwrlock, pthread_rwlock_timedwrlock(&lock, &past)) == ETIMEDOUT);
    MUST(!LOCK_GIVEN);
    MUST(!LOCK_GIVEN);
    MUST(!pthread_rwlock_wrlock(&lock));
    MUST(NUMBER(pthread_rwlock_wrlock, pthread_rwlock_wrlock(&lock)) == EDEADLK);
    MUST(NUMBER(pthread_rwlock_rdlock, pthread_rwlock_rdlock(&lock)) == EDEADLK);
    MUST(!LOCK_GIVEN);

    MUST(!pthread_mutex_lock(&mutex));
    MUST(NUMBER(pthread_mutex_timedlock, pthread_mutex_timedlock(&mutex, &past)) == ETIMEDOUT);
    MUST(NUMBER(pthread_mutex_clocklock, pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, &past_m)) == ETIMEDOUT);
    note_call(DOES_mtx_timedlock);
    note_error(DOES_mtx_timedlock, ETIMEDOUT);
    MUST(mtx_timedlock((mtx_t *)&mutex, &past) == thrd_timedout);
    MUST(!MUTEX_GIVEN);
    MUST(TRY(sem_timedwait, sem_timedwait(&semaphore, &past)) < 0 && errno == ETIMEDOUT);
    MUST(TRY(sem_clockwait, sem_clockwait(&semaphore, CLOCK_MONOTONIC, &past_m)) < 0 && errno == ETIMEDOUT);

    /* One that its thread may take again is not taken for it; one that it may not, is. */
    const int kinds[] = {PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ERRORCHECK};
    for (int i = 0; i < 2; i++) {
        pthread_mutexattr_t attributes;
        pthread_mutex_t own;
        MUST(!pthread_mutexattr_init(&attributes));
        MUST(!pthread_mutexattr_settype(&attributes, kinds[i]));
        MUST(!pthread_mutex_init(&own, &attributes));
        MUST(!pthread_mutex_lock(&own));
        if (kinds[i] == PTHREAD_MUTEX_RECURSIVE) {
            MUST(!pthread_mutex_lock(&own));
            MUST(!pthread_mutex_unlock(&own));
        } else {
            MUST(NUMBER(pthread_mutex_lock, pthread_mutex_lock(&own)) == EDEADLK);
        }
        MUST(!pthread_mutex_unlock(&own));
    }
    tell();
    return 0;
}
