// flags: -ldl
/* Loads CPython late, has it call lseek twelve times in a function, ends it, unloads it, and goes on. Its argument is the library. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static const char TEXT[] = "import os\n"
                           "def inside(fd):\n"
                           "    os.lseek(fd, 0, 0)\n"
                           "fd = os.open('/dev/zero', os.O_RDONLY)\n"
                           "for _ in range(12): inside(fd)\n";

int main(int count, char **words) {
    int zero = open("/dev/zero", O_RDONLY);
    for (int i = 0; i < 10; i++)
        lseek(zero, 0, SEEK_SET);
    void *library = count > 1 ? dlopen(words[1], RTLD_NOW | RTLD_GLOBAL) : NULL;
    if (!library)
        return 2;
    void (*begin)(void) = dlsym(library, "Py_Initialize"), (*end)(void) = dlsym(library, "Py_Finalize");
    int (*run)(const char *) = dlsym(library, "PyRun_SimpleString");
    begin();
    if (run(TEXT))
        return 3;
    end();
    if (dlclose(library))
        return 4;
    for (int i = 0; i < 10; i++) {
        lseek(zero, 0, SEEK_SET);
        free(malloc(100000));
    }
    return 5;
}
