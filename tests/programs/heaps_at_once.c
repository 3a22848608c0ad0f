// flags: -O1
// Three children have a large block each at the same time, and a fourth when they have ended. The argument is the block's size.
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void start(size_t size) {
    if (fork() != 0) return;
    char *volatile block = malloc(size);
    if (block == NULL) _exit(1);
    memset(block, 1, size);
    sleep(1);
    _exit(0);
}

int main(int argc, char **argv) {
    size_t size = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
    int status, wrong = 0;
    for (int i = 0; i < 3; i++) start(size);
    while (wait(&status) > 0) wrong |= status;
    start(size);
    wait(&status);
    return wrong || status;
}
