// flags: -O1
// reads_and_waits READS WAITS: reads so often, and waits so often for 20 ms.
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv) {
    if (argc < 3) return 2;
    int zero = open("/dev/zero", O_RDONLY);
    char byte;
    for (int i = atoi(argv[1]); i > 0; i--)
        if (read(zero, &byte, 1) != 1) return 1;
    for (int i = atoi(argv[2]); i > 0; i--) poll(NULL, 0, 20);
    return 0;
}
