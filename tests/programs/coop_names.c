// flags: -O2 -Iinclude -pthread
// A coroutine that looks up addresses; the C library waits for that internally. With RUN_BLOCKING, the runtime offers
// a thread for such calls.
#include "coroutines.h"
#include <netdb.h>

#ifndef RUN_BLOCKING
static int blocking_runs;
#endif

static void ask(void *unused) {
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV}, *found = NULL;
    printf("%d\n", getaddrinfo("127.0.0.1", "80", &hints, &found));
    freeaddrinfo(found);
    printf("%d\n", getaddrinfo("no address", "80", &hints, &found) == EAI_NONAME);
}

int main(void) {
    go("ask", ask, NULL);
    run();
    printf("%d\n", blocking_runs);
    return 0;
}
