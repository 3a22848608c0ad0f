// flags: -O1 -fno-builtin
/* The variadic functions of the exec family, with more arguments than registers. */
#include "witness.h"

int main(int argc, char **argv) {
    static char self[4096];
    MUST(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    int form = argc > 1 ? argv[1][0] : '0';
    for (int i = 1; i < argc; i++)
        say("%s ", argv[i]);
    say("%s\n", getenv("GREETING") ? getenv("GREETING") : "-");
    char *environment[] = {"GREETING=from execle", NULL};
#define TWELVE "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"
    switch (form) {
    case '0': return execl(self, self, "1", TWELVE, NULL);
    case '1': return execlp(self, self, "2", TWELVE, NULL);
    case '2': return execle(self, self, "3", TWELVE, NULL, environment);
    default: return 5;
    }
}
