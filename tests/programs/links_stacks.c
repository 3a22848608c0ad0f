// flags: -O1 -g -fno-builtin
/* Calls malloc through code without unwind information, which has a frame pointer to a record of its own: as that of a coroutine, whose
 * outermost record is linked to that of who resumes it. Prints how often it is called in each way. */
#include <stdio.h>
#include <stdlib.h>

struct record {
    struct record *outer;
    void *caller;
};

/* Calls its first argument, with the second as the frame pointer. */
void through(void (*called)(void), struct record *record);
void elsewhere(void);

#if defined(__x86_64__)
__asm__(".text\nthrough: push %rbp\nmov %rsi, %rbp\ncall *%rdi\npop %rbp\nret\n"
        "elsewhere: nop\nnop\nret\n");
#elif defined(__aarch64__)
__asm__(".text\nthrough: stp x29, x30, [sp, #-16]!\nmov x29, x1\nblr x0\nldp x29, x30, [sp], #16\nret\n"
        "elsewhere: nop\nnop\nret\n");
#endif

enum { ROUNDS = 20 };

static void *volatile kept;

__attribute__((noinline)) static void calls(void) {
    kept = malloc(100);
    free(kept);
}

int main(void) {
    struct record records[2] = {{NULL, NULL}, {NULL, NULL}};
    __asm__ volatile("" : : "r"(records) : "memory");
    for (int round = 0; round < ROUNDS; round++)
        through(calls, &records[0]);
    records[0] = (struct record){&records[1], (char *)elsewhere + 2};
    __asm__ volatile("" : : "r"(records) : "memory");
    for (int round = 0; round < ROUNDS; round++)
        through(calls, &records[0]);
    printf("%d\n", ROUNDS);
    return 0;
}
