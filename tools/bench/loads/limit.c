/* The limit: the least that a preloaded library can do and still know what Weir knows.
 *
 * It counts calls and bytes, sorts the sizes into powers of two, and follows the live bytes and
 * their peak by malloc_usable_size, which each thread adds to the common total in steps of 64 KiB.
 * Its state is thread-local, at a fixed offset from the thread pointer (initial-exec). It has no
 * guard, serves no early caller, knows four functions, and nobody can read what it records: a
 * library that can be used does more, and what more it costs is its ratio to this one.
 *
 *   (nothing defined)   counters alone
 *   -DSAMPLED           and one call in about 128 timed, the distance random
 *   -DTIMED             and every call timed
 *
 * read and write are timed whenever anything is, as Weir does it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <x86intrin.h>

#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)

enum { CLASSES = 64, BATCH_BYTES = 64 * 1024, MEAN_DISTANCE = 128 };

struct recorder {
    uint64_t malloc_calls, free_calls, requested_bytes;
    int64_t unpublished_bytes;
    uint64_t size_classes[CLASSES], tick_classes[CLASSES];
    uint64_t random;
    uint32_t until_sample;
    struct { uint64_t calls, requested_bytes, moved_bytes, size_classes[CLASSES]; } io[2];
};

static __thread struct recorder recorder __attribute__((tls_model("initial-exec")));
static int64_t live_bytes, peak_bytes;

static void *(*next_malloc)(size_t);
static void (*next_free)(void *);
static size_t (*usable_size)(void *);
static ssize_t (*next_read)(int, void *, size_t);
static ssize_t (*next_write)(int, const void *, size_t);

__attribute__((constructor, cold, noinline)) static void find_next(void) {
    next_malloc = dlsym(RTLD_NEXT, "malloc");
    next_free = dlsym(RTLD_NEXT, "free");
    usable_size = dlsym(RTLD_NEXT, "malloc_usable_size");
    next_read = dlsym(RTLD_NEXT, "read");
    next_write = dlsym(RTLD_NEXT, "write");
}

/* Adds this thread's batch to the process's live bytes. Two threads that raise the peak at once
 * may leave the lower of the two: the limit need not be exact, only as quick as the exact one. */
__attribute__((cold, noinline)) static void publish(void) {
    int64_t now = __atomic_add_fetch(&live_bytes, recorder.unpublished_bytes, __ATOMIC_RELAXED);
    recorder.unpublished_bytes = 0;
    if (now > peak_bytes)
        peak_bytes = now;
}

static inline unsigned class_of(uint64_t value) {
    return 63 - (unsigned)__builtin_clzll(value | 1);
}

static inline void record_ticks(uint64_t ticks) {
    recorder.tick_classes[class_of(ticks)]++;
}

#if defined(SAMPLED)
/* Whether this call is to be timed; the next distance is 64 to 191 calls. */
static inline int is_timed(void) {
    if (!UNLIKELY(recorder.until_sample-- == 0))
        return 0;
    recorder.random = recorder.random * 6364136223846793005u + 1;
    recorder.until_sample = MEAN_DISTANCE / 2 + ((recorder.random >> 40) & (MEAN_DISTANCE - 1));
    return 1;
}
#elif defined(TIMED)
static inline int is_timed(void) { return 1; }
#else
static inline int is_timed(void) { return 0; }
#endif

void *malloc(size_t size) {
    void *block;
    if (UNLIKELY(!next_malloc))
        find_next();
    if (is_timed()) {
        uint64_t begin = __rdtsc();
        block = next_malloc(size);
        record_ticks(__rdtsc() - begin);
    } else {
        block = next_malloc(size);
    }
    recorder.malloc_calls++;
    recorder.requested_bytes += size;
    recorder.size_classes[class_of(size)]++;
    if (block) {
        recorder.unpublished_bytes += (int64_t)usable_size(block);
        if (recorder.unpublished_bytes > BATCH_BYTES)
            publish();
    }
    return block;
}

void free(void *block) {
    if (UNLIKELY(!next_free))
        find_next();
    if (!block)
        return;
    recorder.unpublished_bytes -= (int64_t)usable_size(block);
    if (recorder.unpublished_bytes < -BATCH_BYTES)
        publish();
    recorder.free_calls++;
    if (is_timed()) {
        uint64_t begin = __rdtsc();
        next_free(block);
        record_ticks(__rdtsc() - begin);
    } else {
        next_free(block);
    }
}

#if defined(SAMPLED) || defined(TIMED)
#define TIMED_IO(call) \
    do { \
        uint64_t begin = __rdtsc(); \
        call; \
        record_ticks(__rdtsc() - begin); \
    } while (0)
#else
#define TIMED_IO(call) call
#endif

static inline void record_io(int which, size_t size, ssize_t moved) {
    recorder.io[which].calls++;
    recorder.io[which].requested_bytes += size;
    recorder.io[which].size_classes[class_of(size)]++;
    if (moved > 0)
        recorder.io[which].moved_bytes += (uint64_t)moved;
}

ssize_t read(int fd, void *buffer, size_t size) {
    ssize_t moved;
    if (UNLIKELY(!next_read))
        find_next();
    TIMED_IO(moved = next_read(fd, buffer, size));
    record_io(0, size, moved);
    return moved;
}

ssize_t write(int fd, const void *buffer, size_t size) {
    ssize_t moved;
    if (UNLIKELY(!next_write))
        find_next();
    TIMED_IO(moved = next_write(fd, buffer, size));
    record_io(1, size, moved);
    return moved;
}
