// flags: -O1 -D_GNU_SOURCE
/* Makes a ring of io_uring in the way that its argument names. Prints "refused" if the system permits none. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MUST(what)                                                        \
    do {                                                                  \
        if (!(what)) {                                                    \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what); \
            exit(99);                                                     \
        }                                                                 \
    } while (0)

/* The types of liburing.h, where the ring takes 216 bytes. */
typedef int queue_init(unsigned entries, void *ring, unsigned flags);
typedef void queue_exit(void *ring);

static char ring[4096];
static void *library;

static void load(void) { MUST(library = dlopen("liburing.so.2", RTLD_NOW)); }

static void init(void) {
    queue_init *init = (queue_init *)dlsym(library, "io_uring_queue_init");
    MUST(init);
    if (init(8, ring, 0) < 0)
        puts("refused");
}

static void loaded(void) { load(); }

static void kept(void) {
    load();
    init();
}

static void closed(void) {
    kept();
    queue_exit *leave = (queue_exit *)dlsym(library, "io_uring_queue_exit");
    MUST(leave);
    leave(ring);
}

static void asked(void) {
    if (syscall(SYS_io_uring_setup, 0, NULL) >= 0)
        exit(98);
}

static void touched(void) {
    char parameters[120] = {0};
    int fd = (int)syscall(SYS_io_uring_setup, 8, parameters);
    if (fd < 0)
        puts("refused");
    else
        MUST(lseek(fd, 0, SEEK_CUR) >= -1 && close(dup(fd)) == 0);
}

static void nothing(void) {}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*work)(void);
    } ways[] = {
        {"loaded", loaded}, {"kept", kept},       {"closed", closed},
        {"asked", asked},   {"touched", touched}, {"nothing", nothing},
    };
    MUST(argc == 2);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        if (!strcmp(argv[1], ways[i].name)) {
            ways[i].work();
            return 0;
        }
    return 98;
}
