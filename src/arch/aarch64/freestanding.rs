//! What compiled Rust takes from the C library: `crate::freestanding` says why it is here, and what of it there is.
//!
//! A variable of a thread is found by the descriptor that the dynamic linker has filled in for it, and not by
//! `__tls_get_addr`: of an object that is loaded with the program that is a load and a return.

use std::arch::global_asm;

use super::system_call;

global_asm!(
    ".pushsection .text.weir_memory,\"ax\",@progbits",
    ".macro weir_hidden name",
    ".globl \\name",
    ".hidden \\name",
    ".type \\name, @function",
    ".p2align 4",
    "\\name:",
    ".cfi_startproc",
    ".endm",
    ".macro weir_end name",
    ".cfi_endproc",
    ".size \\name, . - \\name",
    ".endm",
    // void *memcpy(x0, x1, x2): both ends are read before anything is written, up to 32 bytes; so memmove may share that.
    "weir_hidden memcpy",
    "cmp x2, #16",
    "b.lo weir_move_small",
    "add x4, x1, x2",
    "add x5, x0, x2",
    "ldur q1, [x4, #-16]",
    "sub x5, x5, #16",
    "cmp x2, #32",
    "b.hi 2f",
    "ldr q0, [x1]",
    "str q0, [x0]",
    "str q1, [x5]",
    "ret",
    // Forwards by 16, the last 16 by their end.
    "2:",
    "mov x3, x0",
    "3:",
    "ldr q0, [x1], #16",
    "str q0, [x3], #16",
    "cmp x3, x5",
    "b.lo 3b",
    "str q1, [x5]",
    "ret",
    "weir_end memcpy",
    "weir_move_small:",
    ".cfi_startproc",
    "add x4, x1, x2",
    "add x5, x0, x2",
    "cmp x2, #8",
    "b.hs 5f",
    "cmp x2, #4",
    "b.hs 6f",
    "cmp x2, #1",
    "b.lo 8f",
    "b.eq 7f",
    "ldrh w6, [x1]",
    "ldurh w7, [x4, #-2]",
    "strh w6, [x0]",
    "sturh w7, [x5, #-2]",
    "ret",
    "5:",
    "ldr x6, [x1]",
    "ldur x7, [x4, #-8]",
    "str x6, [x0]",
    "stur x7, [x5, #-8]",
    "ret",
    "6:",
    "ldr w6, [x1]",
    "ldur w7, [x4, #-4]",
    "str w6, [x0]",
    "stur w7, [x5, #-4]",
    "ret",
    "7:",
    "ldrb w6, [x1]",
    "strb w6, [x0]",
    "8:",
    "ret",
    ".cfi_endproc",
    // void *memmove(x0, x1, x2)
    "weir_hidden memmove",
    "cmp x2, #32",
    "b.ls memcpy",
    // Forwards where the target does not begin within the source.
    "sub x4, x0, x1",
    "cmp x4, x2",
    "b.hs memcpy",
    // Backwards by 16, the first 16 by their start.
    "ldr q1, [x1]",
    "add x4, x1, x2",
    "add x5, x0, x2",
    "2:",
    "ldr q0, [x4, #-16]!",
    "str q0, [x5, #-16]!",
    "sub x2, x2, #16",
    "cmp x2, #16",
    "b.hi 2b",
    "str q1, [x0]",
    "ret",
    "weir_end memmove",
    // void *memset(x0, w1, x2)
    "weir_hidden memset",
    "mov x3, x0",
    "cmp x2, #16",
    "b.hs 4f",
    "2:",
    "cbz x2, 3f",
    "strb w1, [x3], #1",
    "sub x2, x2, #1",
    "b 2b",
    "3:",
    "ret",
    "4:",
    "dup v0.16b, w1",
    "add x4, x0, x2",
    "sub x4, x4, #16",
    "5:",
    "str q0, [x3], #16",
    "cmp x3, x4",
    "b.lo 5b",
    "str q0, [x4]",
    "ret",
    "weir_end memset",
    // int memcmp(x0, x1, x2), by 8 bytes while they are equal; bcmp is the same.
    "weir_hidden bcmp",
    "b memcmp",
    "weir_end bcmp",
    "weir_hidden memcmp",
    "2:",
    "cmp x2, #8",
    "b.lo 3f",
    "ldr x4, [x0], #8",
    "ldr x5, [x1], #8",
    "sub x2, x2, #8",
    "cmp x4, x5",
    "b.eq 2b",
    "rev x4, x4",
    "rev x5, x5",
    "cmp x4, x5",
    "cset w0, hi",
    "csinv w0, w0, wzr, hs",
    "ret",
    "3:",
    "cbz x2, 4f",
    "ldrb w4, [x0], #1",
    "ldrb w5, [x1], #1",
    "sub x2, x2, #1",
    "subs w4, w4, w5",
    "b.eq 3b",
    "mov w0, w4",
    "ret",
    "4:",
    "mov w0, #0",
    "ret",
    "weir_end memcmp",
    // size_t strlen(x0)
    "weir_hidden strlen",
    "mov x1, x0",
    "2:",
    "ldrb w2, [x1], #1",
    "cbnz w2, 2b",
    "sub x0, x1, x0",
    "sub x0, x0, #1",
    "ret",
    "weir_end strlen",
    ".popsection",
);

/// getauxval(3), by which compiled Rust finds out whether the processor has atomic additions: the kernel is asked, and not the C
/// library, for the program may own the name. 0 where that is not known: then they are made by exclusive stores.
extern "C" fn auxiliary_value(wanted: u64) -> u64 {
    // Linux 6.4; linux/prctl.h.
    const PR_GET_AUXV: usize = 0x4155_5856;
    let mut vector = [[0_u64; 2]; 64];
    let (start, bytes) = (vector.as_mut_ptr().addr(), size_of_val(&vector));
    // SAFETY: the kernel writes no more than the vector holds.
    let asked = unsafe { system_call(libc::SYS_prctl, [PR_GET_AUXV, start, bytes, 0, 0]) };
    if asked < 0 {
        let path = c"/proc/self/auxv".as_ptr().addr();
        let flags = (libc::O_RDONLY | libc::O_CLOEXEC) as usize;
        // SAFETY: a descriptor of our own, and as above.
        unsafe {
            let file = system_call(
                libc::SYS_openat,
                [libc::AT_FDCWD as usize, path, flags, 0, 0],
            );
            if let Ok(file) = usize::try_from(file) {
                system_call(libc::SYS_read, [file, start, bytes, 0, 0]);
                system_call(libc::SYS_close, [file, 0, 0, 0, 0]);
            }
        }
    }
    let found = vector.iter().find(|[kind, _]| *kind == wanted);
    found.map_or(0, |[_, value]| *value)
}

global_asm!(
    ".pushsection .text.weir_calls,\"ax\",@progbits",
    // ssize_t getrandom(x0, x1, w2), the system call (278).
    ".globl getrandom",
    ".hidden getrandom",
    ".type getrandom, @function",
    "getrandom:",
    ".cfi_startproc",
    "mov x8, #278",
    "svc 0",
    "ret",
    ".cfi_endproc",
    ".size getrandom, . - getrandom",
    // A clean-up has run, which none does.
    ".globl _Unwind_Resume",
    ".hidden _Unwind_Resume",
    ".type _Unwind_Resume, @function",
    "_Unwind_Resume:",
    // Reached where Rust's runtime gives up.
    ".globl abort",
    ".hidden abort",
    ".type abort, @function",
    "abort:",
    ".cfi_startproc",
    "udf #0",
    ".cfi_endproc",
    ".size abort, . - abort",
    ".size _Unwind_Resume, . - _Unwind_Resume",
    // unsigned long getauxval(x0)
    ".globl getauxval",
    ".hidden getauxval",
    ".type getauxval, @function",
    "getauxval:",
    ".cfi_startproc",
    "b {auxiliary_value}",
    ".cfi_endproc",
    ".size getauxval, . - getauxval",
    ".popsection",
    auxiliary_value = sym auxiliary_value,
);

/// Defines hidden functions that answer with a number.
macro_rules! answers {
    ($($name:literal => $answer:literal;)+) => {
        ::std::arch::global_asm!(
            ".pushsection .text.weir_answers,\"ax\",@progbits",
            $(
                concat!(".globl ", $name),
                concat!(".hidden ", $name),
                concat!(".type ", $name, ", @function"),
                concat!($name, ":"),
                ".cfi_startproc",
                concat!("mov x0, #", $answer),
                "ret",
                ".cfi_endproc",
                concat!(".size ", $name, ", . - ", $name),
            )+
            ".popsection",
        );
    };
}
pub(crate) use answers;
