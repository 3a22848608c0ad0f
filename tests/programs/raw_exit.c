// flags: -pthread
/* Every thread ends by the system call of its own, the first one last: the process then ends with that one's status. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "system_call.h"

static void *work(void *argument) {
    free(malloc(10));
    return argument;
}

int main(void) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, work, NULL) != 0 || pthread_join(thread, NULL) != 0)
        return 2;
    for (int i = 0; i < 10; i++)
        free(malloc(100));
    /* Not by the C library, which might be told. */
    system_call(SYS_exit, 14, 0, 0, 0, 0, 0);
    return 3;
}
