// flags: -O1 -fno-builtin
/* Starts the program at the path of its first argument in every way, with every kind of environment. The second
 * argument is its name, which PATH leads to. Prints how many of these runs did not end with 4. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static char *path, *name, *folder;
static char *few[64], *many[2000];

static void start(int way, char **environment) {
    char *arguments[] = {name, "argument", NULL};
    int fd = -1, dir = -1;
    switch (way) {
    case 0: execv(path, arguments); break;
    case 1: execve(path, arguments, environment); break;
    case 2: execvp(name, arguments); break;
    case 3: execvpe(name, arguments, environment); break;
    case 4: execl(path, name, "argument", NULL); break;
    case 5: execlp(name, name, "argument", NULL); break;
    case 6: execle(path, name, "argument", NULL, environment); break;
    case 7: fd = open(path, O_RDONLY); fexecve(fd, arguments, environment); break;
    case 8: fd = open(path, O_PATH); fexecve(fd, arguments, environment); break;
    case 9: dir = open(folder, O_RDONLY | O_DIRECTORY); execveat(dir, name, arguments, environment, 0); break;
    case 10: fd = open(path, O_RDONLY); execveat(fd, "", arguments, environment, AT_EMPTY_PATH); break;
    }
    _exit(99);
}

int main(int argc, char **argv) {
    if (argc != 3) return 99;
    path = argv[1], name = argv[2];
    folder = strdup(path);
    *strrchr(folder, '/') = 0;
    int wrong = 0, status = 0;
    char **kinds[] = {environ, few, many};
    int count = 0;
    for (char **entry = environ; *entry && count < 60; entry++, count++) many[count + 1900] = few[count] = *entry;
    for (int i = 0; i < 1900; i++) many[i] = "A_NAME=and its value";
    for (int kind = 0; kind < 3; kind++) {
        for (int way = 0; way < 13; way++) {
            pid_t child = -1;
            char *arguments[] = {name, "argument", NULL};
            if (way == 11) {
                if (posix_spawn(&child, path, NULL, NULL, arguments, kinds[kind])) child = -1;
            } else if (way == 12) {
                if (posix_spawnp(&child, name, NULL, NULL, arguments, kinds[kind])) child = -1;
            } else if (way % 2 ? !(child = vfork()) : !(child = fork())) {
                start(way, kinds[kind]);
            }
            if (child < 0 || waitpid(child, &status, 0) != child || status != 4 << 8) {
                fprintf(stderr, "way %d, environment %d: status %x\n", way, kind, status);
                wrong++;
            }
        }
    }
    printf("%d wrong\n", wrong);
    return wrong;
}
