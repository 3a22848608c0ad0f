// flags: -O0 -fno-builtin
// Gives up root's rights in the way of argument 1, and becomes the user of argument 2. Then it forks, and both
// processes end with 0.
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int become(const char *how, uid_t user)
{
    if (strcmp(how, "setuid") == 0)
        return setuid(user);
    if (strcmp(how, "setreuid") == 0)
        return setreuid(user, user);
    return setresuid(user, user, user);
}

int main(int count, char **arguments)
{
    uid_t user = count > 2 ? atoi(arguments[2]) : 0;
    free(malloc(100));
    if (setgroups(0, NULL) != 0 || setgid(user) != 0 || become(arguments[1], user) != 0)
        return 9;
    pid_t child = fork();
    if (child < 0)
        return 8;
    free(malloc(200));
    if (child == 0)
        _exit(0);
    int status;
    return waitpid(child, &status, 0) != child || status != 0;
}
