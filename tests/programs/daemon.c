// flags: -O1 -fno-builtin
/* Becomes a daemon in the usual way, in the folder of its argument: two forks, a session of its own, no descriptor
 * left. The daemon works, makes a file to say so, and continues when there is another file. */
#define _GNU_SOURCE
#include "witness.h"
#include <sys/stat.h>
#include <sys/wait.h>

static void await(const char *name) {
    struct stat there;
    while (stat(name, &there)) usleep(1000);
}

static void make_file(const char *name, int times) {
    int file = open(name, O_WRONLY | O_CREAT, 0600);
    MUST(file >= 0);
    for (int i = 0; i < times; i++) MUST(write(file, "line\n", 5) == 5);
    MUST(!close(file));
}

int main(int argc, char **argv) {
    MUST(argc == 2 && !chdir(argv[1]));
    pid_t child = fork();
    if (!child) {
        MUST(setsid() > 0);
        if (fork()) _exit(0);
        closefrom(0);
        umask(077);
        make_file("work", 20);
        make_file("ready", 0);
        await("go");
        make_file("result", 3);
        _exit(0);
    }
    int status;
    MUST(waitpid(child, &status, 0) == child && !status);
    await("ready");
    return 0;
}
