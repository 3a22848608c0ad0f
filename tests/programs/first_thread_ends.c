// flags: -O1 -pthread
/* Its first thread ends. Another one has 32 MiB of memory after that, for a second, and until its standard input
 * ends. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_t first;

static void *goes_on(void *unused) {
    if (pthread_join(first, NULL)) abort();
    size_t bytes = 32 << 20;
    char *block = malloc(bytes);
    if (!block) abort();
    memset(block, 1, bytes);
    __asm__ volatile("" : : "r"(block) : "memory");
    if (write(1, "alone\n", 6) != 6) abort();
    sleep(1);
    char byte;
    while (read(0, &byte, 1) > 0);
    free(block);
    exit(0);
    return unused;
}

int main(void) {
    pthread_t thread;
    first = pthread_self();
    if (pthread_create(&thread, NULL, goes_on, NULL)) return 1;
    pthread_exit(NULL);
}
