// flags: -O1 -no-pie
/* Calls a function in the C library's oldest version, from a program that has no symbols for others: its GNU hash table is empty.
 * The old quick_exit runs the thread's destructors. */
#include <stdlib.h>
#include <unistd.h>

__asm__(".symver quick_exit, quick_exit@GLIBC_2.10");

extern void *__dso_handle;
extern int __cxa_thread_atexit_impl(void (*)(void *), void *, void *);

static void destructor(void *unused) {
    (void)unused;
    if (write(1, "destructor\n", 11) != 11)
        _exit(99);
}

int main(void) {
    if (__cxa_thread_atexit_impl(destructor, NULL, &__dso_handle) != 0)
        return 98;
    quick_exit(3);
}
