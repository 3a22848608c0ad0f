/* System calls that no library sees, on each architecture. */
#ifndef SYSTEM_CALL_H
#define SYSTEM_CALL_H

#include <signal.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
static inline __attribute__((always_inline, unused)) long system_call(long number, long a, long b, long c, long d, long e, long f) {
    long result;
    register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}
#elif defined(__aarch64__)
static inline __attribute__((always_inline, unused)) long system_call(long number, long a, long b, long c, long d, long e, long f) {
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d, x4 __asm__("x4") = e, x5 __asm__("x5") = f;
    __asm__ volatile("svc 0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "memory");
    return x0;
}
#endif

/* The number and the first argument of the system call for fork(2); the further arguments are 0. */
#ifdef SYS_fork
#define FORKING SYS_fork, 0L
#else
#define FORKING SYS_clone, (long)SIGCHLD
#endif

#endif
