// flags: -O0 -fno-builtin -pthread
// Allocates until it gets no more memory, continues with what it has, and ends with 9.
// Arguments: maps|address|data ROOM [thread]. ROOM is how many mappings are left, or how many times 64 KiB.
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

static unsigned maps, writes, room;

// Adjacent pages with different protection are two mappings.
static void take_all_maps(void)
{
    static void *taken[1 << 17];
    for (;;) {
        int rights = maps % 2 ? PROT_READ : PROT_READ | PROT_WRITE;
        void *map = mmap(NULL, 4096, rights, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (map == MAP_FAILED)
            break;
        taken[maps++] = map;
    }
    for (unsigned i = 0; i < room; i++)
        munmap(taken[2 * i], 4096);
}

static void allow_no_more(int what)
{
    size_t bytes = room * 65536ul;
    void *spare = mmap(NULL, bytes + 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct rlimit limit;
    getrlimit(what, &limit);
    limit.rlim_cur = 1 << 20;
    setrlimit(what, &limit);
    for (;;) {
        if (mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED) {
            maps++;
            continue;
        }
        limit.rlim_cur += 4096;
        if (limit.rlim_cur > 1 << 30 || maps > 0)
            break;
        setrlimit(what, &limit);
    }
    munmap(spare, bytes + 1);
}

static void write_often(unsigned times)
{
    for (unsigned i = 0; i < times; i++, writes++)
        if (write(3, ".", 1) != 1)
            _exit(1);
}

static void *live(void *how)
{
    write_often(100);
    if (!strcmp(how, "maps"))
        take_all_maps();
    else
        allow_no_more(strcmp(how, "data") ? RLIMIT_AS : RLIMIT_DATA);
    // More samples than a ring holds.
    write_often(20000);
    return NULL;
}

int main(int count, char **arguments)
{
    static char buffer[200];
    if (dup2(open("/dev/null", O_WRONLY), 3) != 3)
        return 1;
    room = atoi(arguments[2]);
    if (count > 3) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, live, arguments[1]))
            return 1;
        // By now the writer has its thread, which has looked at the regions once.
        pthread_join(thread, NULL);
        usleep(50000);
    } else {
        live(arguments[1]);
    }
    // Prints without an allocation by the C library.
    int length = snprintf(buffer, sizeof buffer, "%u writes\n", writes + 1);
    if (write(1, buffer, length) != length)
        return 1;
    return 9;
}
