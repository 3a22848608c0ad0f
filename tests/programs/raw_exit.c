// flags: -pthread
/* Each thread ends by its own system call, the first thread last. So the process ends with that thread's status. */
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
    /* Not by the C library's function, which Weir might see. */
    system_call(SYS_exit, 14, 0, 0, 0, 0, 0);
    return 3;
}
