/* Threads of the torture program: they start, end, talk, and cancel each other. */
#ifndef THREADS_H
#define THREADS_H

#include "signals.h"
#include <dlfcn.h>

static const char *plugin;

static pthread_key_t key;

static void key_destructor(void *block) {
    DO(free, free(block));
    MOVE(write, 4, write(-1, "gone", 4));
}

static void prepare_threads(void) { MUST(!pthread_key_create(&key, key_destructor)); }

static void image_step(void);
static void may_end_here(void);

static void block_signals(sigset_t *before) {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, before);
}

/* Threads start with signals blocked: `self` must exist before a handler runs. */
static int start_thread(pthread_t *thread, void *body(void *), void *argument, size_t stack) {
    sigset_t before;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, stack);
    STORE(is_threaded, 1);
    block_signals(&before);
    int failed = pthread_create(thread, &attributes, body, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return failed;
}

struct worker {
    struct self *self;
    int steps;
};

static void *worker(void *argument) {
    struct worker *worker = argument;
    sigset_t none;
    me = worker->self;
    STORE(me->tid, own_tid());
    pthread_setspecific(key, CALL(malloc, malloc(100)));
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
    for (int i = 0; i < worker->steps; i++) {
        image_step();
        may_end_here();
    }
    block_signals(&none);
    STORE(me->tid, 0);
    for (int i = 0; i < KEPT; i++)
        DO(free, free(me->kept[i]));
    return NULL;
}

/* A thread that is cancelled anywhere. Its signals stay blocked, because a cancellation would leave a handler,
 * too. */
static void cleanup(void *unused) {
    (void)unused;
    MOVE(write, 5, write(-1, "clean", 5));
    DO(free, free(CALL(malloc, malloc(10))));
}

static void *cancelled(void *argument) {
    struct self self = *(struct self *)argument;
    me = &self;
    me->tid = 0;
    memset(me->kept, 0, sizeof me->kept);
    pthread_cleanup_push(cleanup, NULL);
    for (;;) {
        safe_step();
        if (one_in(10))
            DO(free, free(CALL(malloc, malloc(100))));
    }
    pthread_cleanup_pop(1);
    return NULL;
}

static void cancel_step(void) {
    pthread_t thread;
    void *result;
    static __thread struct self other;
    other = *me;
    other.random += 1000;
    other.may_jump = other.in_safe_step = 0;
    if (start_thread(&thread, cancelled, &other, 256 * 1024))
        return;
    struct timespec time = {0, below(200000)};
    CALL(nanosleep, nanosleep(&time, NULL));
    MUST(!pthread_cancel(thread));
    MUST(!pthread_join(thread, &result) && result == PTHREAD_CANCELED);
}

/* A conversation of two threads, each of which waits for the other. */
struct talk {
    int fds[2], times;
};

static void put(int fd, const char *bytes, size_t length) {
    for (size_t at = 0; at < length;) {
        long moved = MOVE(write, length - at, write(fd, bytes + at, length - at));
        if (moved > 0)
            at += (size_t)moved;
        else if (errno != EINTR)
            return wrong("write: errno", (uint64_t)errno, 0);
    }
}

static void get(int fd, char *bytes, size_t length) {
    for (size_t at = 0; at < length;) {
        long moved = MOVE(read, length - at, read(fd, bytes + at, length - at));
        if (moved > 0)
            at += (size_t)moved;
        else if (moved == 0 || errno != EINTR)
            return wrong("read: errno", (uint64_t)errno, (uint64_t)moved);
    }
}

static void *answers(void *argument) {
    struct talk *talk = argument;
    char bytes[64];
    for (int i = 0; i < talk->times; i++) {
        get(talk->fds[1], bytes, sizeof bytes);
        put(talk->fds[1], bytes, sizeof bytes);
    }
    return NULL;
}

static void talk_step(void) {
    struct talk talk = {.times = 1 + below(20)};
    pthread_t thread;
    char bytes[64], back[64];
    if (CALL(socketpair, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, talk.fds)))
        return;
    if (!start_thread(&thread, answers, &talk, 128 * 1024)) {
        for (int i = 0; i < talk.times; i++) {
            memset(bytes, i, sizeof bytes);
            put(talk.fds[0], bytes, sizeof bytes);
            get(talk.fds[0], back, sizeof back);
            MUST(!memcmp(bytes, back, sizeof back));
        }
        MUST(!pthread_join(thread, NULL));
    }
    CALL(close, close(talk.fds[0]));
    CALL(close, close(talk.fds[1]));
}

/* A thread with a small stack. */
static void *small(void *argument) {
    struct self self = *(struct self *)argument;
    me = &self;
    me->tid = 0;
    for (int i = below(4); i >= 0; i--) {
        safe_step();
        DO(free, free(CALL(malloc, malloc((size_t)below(2000) + 1))));
    }
    return NULL;
}

static void small_thread_step(void) {
    struct self other = *me;
    pthread_t thread;
    other.random += 2000;
    other.may_jump = other.in_safe_step = 0;
    if (!start_thread(&thread, small, &other, 24 * 1024))
        MUST(!pthread_join(thread, NULL));
}

static void *nothing(void *unused) { return unused; }

static void short_thread_step(void) {
    pthread_t threads[3];
    int started = 0;
    while (started < 3 && !start_thread(&threads[started], nothing, NULL, 128 * 1024))
        started++;
    while (started)
        MUST(!pthread_join(threads[--started], NULL));
}

/* The account also has the plugin's calls: its function gets the addresses of the counts. */
static void plugin_step(void) {
    typedef void work(uint64_t *begun, uint64_t *done);
    void *library = dlopen(plugin, one_in(2) ? RTLD_NOW : RTLD_LAZY);
    if (!library)
        return wrong("dlopen fails", 0, 0);
    work *function = (work *)dlsym(library, "torture_work");
    MUST(function);
    if (function) {
        struct count *count = &account->counts[DOES_lseek];
        uint64_t done = 0;
        function(&count->begun, &done);
        if (is_seen(generation))
            PLUS(count->done, done);
    }
    MUST(!dlclose(library));
    MUST(!dlopen("/is/not/there.so", RTLD_NOW));
}

#endif
