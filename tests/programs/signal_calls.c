// flags: -O1 -fno-builtin -U_FORTIFY_SOURCE -Wno-deprecated-declarations
/* Calls every function that sets the handling of a signal, getaddrinfo and dlclose, a known number of times. */
#define _GNU_SOURCE
#include "witness.h"
#include <dlfcn.h>
#include <netdb.h>
#include <signal.h>
#include <sys/socket.h>

NAMED(int, sigaction_alias, __sigaction, int, const struct sigaction *, struct sigaction *);
NAMED(sighandler_t, bsd, bsd_signal, int, sighandler_t);
NAMED(sighandler_t, sysv_alias, __sysv_signal, int, sighandler_t);

static void handler(int signal) { (void)signal; }

int main(void) {
    struct sigaction action = {.sa_handler = handler}, before;
    for (int i = 0; i < 3; i++) {
        MUST(!TRY(sigaction, sigaction(SIGUSR1, &action, &before)));
        MUST(!TRY(__sigaction, sigaction_alias(SIGUSR1, NULL, &before)));
        MUST(before.sa_handler == handler);
        MUST(DONE(signal, 0, signal(SIGUSR1, SIG_IGN)) == handler);
        MUST(DONE(bsd_signal, 0, bsd(SIGUSR1, handler)) == SIG_IGN);
        MUST(DONE(ssignal, 0, ssignal(SIGUSR1, handler)) == handler);
        MUST(DONE(sysv_signal, 0, sysv_signal(SIGUSR1, handler)) == handler);
        MUST(DONE(__sysv_signal, 0, sysv_alias(SIGUSR1, handler)) == handler);
        MUST(DONE(sigset, 0, sigset(SIGUSR1, handler)) == handler);
        MUST(!TRY(sigignore, sigignore(SIGUSR1)));
        MUST(!TRY(siginterrupt, siginterrupt(SIGUSR1, 1)));
    }
    MUST(TRY(sigaction, sigaction(1000, &action, NULL)) < 0 && errno == EINVAL);
    MUST(FAIL(signal, EINVAL, signal(SIGKILL, handler)) == SIG_ERR && errno == EINVAL);
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV}, *found;
    for (int i = 0; i < 2; i++) {
        MUST(!DONE(getaddrinfo, 0, getaddrinfo("127.0.0.1", "80", &hints, &found)));
        freeaddrinfo(found);
    }
    MUST(FAIL(getaddrinfo, ENOENT, getaddrinfo("no address", "80", &hints, &found)) == EAI_NONAME);
    for (int i = 0; i < 4; i++) {
        void *program = dlopen(NULL, RTLD_NOW);
        MUST(program && !DONE(dlclose, 0, dlclose(program)));
    }
    tell();
    return 0;
}
