// flags: -O2 -Iinclude -pthread -lhiredis -DFLAGS=WEIR_COOP_MANY_WAITERS
// An unmodified blocking client library in 200 coroutines on one thread. Each sends the server (a Unix socket, the
// first argument) a query that takes 50 ms.
#include "coroutines.h"
#include <hiredis/hiredis.h>

static const char *path;
static int answered;

static void ask(void *unused) {
    redisContext *server = redisConnectUnix(path);
    assert(server != NULL && server->err == 0);
    redisReply *reply = redisCommand(server, "BLPOP nothing 0.05");
    if (reply != NULL && reply->type == REDIS_REPLY_NIL)
        answered++;
    if (reply != NULL)
        freeReplyObject(reply);
    redisFree(server);
}

int main(int count_of_arguments, char **arguments) {
    path = arguments[1];
    int queries = atoi(arguments[2]);
    if (getenv("LD_PRELOAD") == NULL) {
        double before = now();
        ask(NULL);
        printf("%d %d\n", answered, (int)((now() - before) * 1e3));
        return 0;
    }
    double before = now();
    for (int i = 0; i < queries; i++)
        go("query", ask, NULL);
    run();
    printf("%d %d\n", answered, (int)((now() - before) * 1e3));
    return 0;
}
