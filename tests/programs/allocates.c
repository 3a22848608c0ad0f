// flags: -O1 -fno-builtin -pthread
/* Allocates in threads, writes, reads, forks and starts a shell, and prints the results, which are the same with
 * any allocator. It calls pwrite 30 times, and its child once. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 4, BLOCKS = 2000 };

static void *allocates(void *argument) {
    static __thread char *kept[64];
    uint64_t random = (uint64_t)(uintptr_t)argument + 1, sum = 0;
    for (int i = 0; i < BLOCKS; i++) {
        random = random * 6364136223846793005u + 1;
        char **place = &kept[random >> 58];
        size_t size = (random >> 32) % 3000 + 1;
        free(*place);
        void *aligned = NULL;
        switch (i % 5) {
        case 0: *place = calloc(size, 1); sum += (*place)[size - 1] != 0; break;
        case 1: *place = i % 2 ? realloc(malloc(10), size) : reallocarray(malloc(10), 1, size); break;
        case 2: sum += (unsigned)posix_memalign(&aligned, 256, size); *place = aligned; break;
        case 3: *place = aligned_alloc(64, (size + 63) & ~63ul); break;
        default: *place = malloc(size);
        }
        sum += !*place || malloc_usable_size(*place) < size;
        memset(*place, 1, size);
    }
    for (int i = 0; i < 64; i++) free(kept[i]);
    return (void *)(uintptr_t)sum;
}

int main(void) {
    pthread_t threads[THREADS];
    uintptr_t bad = 0;
    char text[100], *line = NULL;
    size_t room = 0;
    int status, fd = open("written", O_RDWR | O_CREAT | O_TRUNC, 0600);
    for (uintptr_t i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, allocates, (void *)i)) return 2;
    for (int i = 0; i < 30; i++)
        if (pwrite(fd, "0123456789", 10, i * 10) != 10) return 3;
    for (int i = 0; i < THREADS; i++) {
        void *result;
        pthread_join(threads[i], &result);
        bad += (uintptr_t)result;
    }
    FILE *file = fopen("written", "r");
    if (!file || getline(&line, &room, file) != 300) return 4;
    fclose(file);
    free(line);
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        allocates((void *)99);
        _exit(pwrite(fd, "x", 1, 0) == 1 ? 3 : 9);
    }
    if (waitpid(child, &status, 0) != child) return 5;
    FILE *shell = popen("echo from a shell", "r");
    if (!shell || !fgets(text, sizeof text, shell) || pclose(shell)) return 6;
    struct timespec now, nap = {0, 1000000};
    clock_gettime(CLOCK_REALTIME, &now);
    nanosleep(&nap, NULL);
    void *map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(map, 8192);
    char *where = realpath(".", NULL);
    if (!where) return 7;
    free(where);
    printf("%d bad, child %d, %s", (int)bad, WEXITSTATUS(status), text);
    return 0;
}
