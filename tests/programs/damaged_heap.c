// flags: -O1 -fno-builtin -pthread -w
/* Damages its heap in the way that its first argument names, after so many blocks as the second says, in a thread if there is a third. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static const char *way;
static int blocks;
static void *volatile kept;

/* A block whose word before would be in memory that cannot be read. */
static void *at_an_edge(void) {
    char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(pages, 4096, PROT_NONE);
    return pages + 4096;
}

static void *damage(void *unused) {
    for (int i = 0; i < blocks; i++)
        kept = malloc(13 * i);
    size_t *block = malloc(2000);
    kept = malloc(10);
    if (!strcmp(way, "twice")) {
        free(block);
        free(block);
    } else if (!strcmp(way, "size")) {
        block[-1] = 0x7fffffffffff1;
        free(block);
    } else if (!strcmp(way, "zero")) {
        block[-1] = 0;
        free(block);
    } else if (!strcmp(way, "middle")) {
        free((char *)block + 8);
    } else if (!strcmp(way, "odd")) {
        free((char *)block + 3);
    } else if (!strcmp(way, "stack")) {
        char bytes[64] = {0};
        kept = bytes;
        free((char *)kept + 32);
    } else if (!strcmp(way, "moved")) {
        block[-1] = 0x7fffffffffff1;
        kept = realloc(block, 5000);
    } else if (!strcmp(way, "too-large")) {
        /* Nobody looks at the block. */
        void *none = reallocarray(at_an_edge(), (size_t)1 << 40, (size_t)1 << 40);
        printf("%d %d\n", none == NULL, errno == ENOMEM);
        none = reallocarray(block, (size_t)1 << 40, (size_t)1 << 40);
        printf("%d %d\n", none == NULL, errno == ENOMEM);
        free(block);
    }
    return unused;
}

int main(int count, char **arguments) {
    pthread_t thread;
    way = arguments[1];
    blocks = atoi(arguments[2]);
    if (count == 3)
        damage(NULL);
    else if (!pthread_create(&thread, NULL, damage, NULL))
        pthread_join(thread, NULL);
    puts("the end");
    return 0;
}
