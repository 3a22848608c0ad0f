// flags: -O1 -fno-builtin -shared -fPIC
/* Loaded and unloaded by torture, which passes the addresses of its counts. */
#include <stdint.h>
#include <unistd.h>

void torture_work(uint64_t *begun, uint64_t *done) {
    for (int i = 0; i < 3; i++) {
        __atomic_fetch_add(begun, 1, __ATOMIC_RELAXED);
        lseek(-1, 0, SEEK_SET);
        *done += 1;
    }
}
