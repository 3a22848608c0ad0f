/* rw PAIRS: what a 64-byte read of /dev/zero and a 64-byte write to /dev/null cost together.
 *
 * Both files cost the kernel next to nothing, so the figure is little more than two system calls:
 * the hardest case for a tool that times I/O. */
#include "harness.h"

#include <fcntl.h>
#include <unistd.h>

int main(int argc, char **argv) {
    long pairs = count_argument(argc, argv, 1);
    int source = open("/dev/zero", O_RDONLY);
    int sink = open("/dev/null", O_WRONLY);
    char buffer[64];
    double begin = clock_ns();
    for (long i = 0; i < pairs; i++) {
        if (read(source, buffer, sizeof buffer) != sizeof buffer)
            return 1;
        if (write(sink, buffer, sizeof buffer) != sizeof buffer)
            return 1;
    }
    print_result("ns_per_pair", (clock_ns() - begin) / (double)pairs);
    return 0;
}
