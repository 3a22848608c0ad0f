//! What the compiler and Rust's standard library would take from the C library: here, under the same names, and seen by
//! nobody else.
//!
//! A program may own any name of the C library: a sanitizer's `memcpy` comes before the C library's, and cannot be called
//! before the sanitizer has started. So the few that compiled Rust code calls by itself are defined here, hidden: the linker
//! binds our references to them and exports none. They are in assembly, because the compiler would make a call of
//! `memcpy` out of a loop that is one.
//!
//! - Memory: `memcpy` and its kin. Small blocks by two moves that may overlap, others by 16 bytes, long ones by the processor's
//!   own copying.
//! - Thread-local storage: the library is loaded with the program, so its part stands at a fixed distance from the thread
//!   pointer. The C library's `__tls_get_addr` would find it too, but may allocate first, or wait for the linker's lock.
//! - Unwinding: a frame of ours has nothing to do when the C library unwinds through it (pthread_cancel): the hooks
//!   hold nothing across a real call. So the personality routine is told of no clean-up. Nothing of ours panics, and if it
//!   did, nothing could catch it.
//! - What a panic's message would ask (directory, environment, backtrace) is answered with nothing: none is printed.

#[cfg(not(test))]
use std::arch::global_asm;

#[cfg(not(test))]
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
    // void *memcpy(rdi, rsi, rdx): both ends are read before anything is written, up to 32 bytes; so memmove may share that.
    "weir_hidden memcpy",
    "mov rax, rdi",
    "cmp rdx, 16",
    "jb weir_move_small",
    "cmp rdx, 32",
    "ja 2f",
    "movups xmm0, [rsi]",
    "movups xmm1, [rsi + rdx - 16]",
    "movups [rdi], xmm0",
    "movups [rdi + rdx - 16], xmm1",
    "ret",
    "2:",
    "cmp rdx, 512",
    "ja 4f",
    // Forwards by 16, the last 16 by their end.
    "movups xmm1, [rsi + rdx - 16]",
    "lea rcx, [rdi + rdx - 16]",
    "3:",
    "movups xmm0, [rsi]",
    "movups [rdi], xmm0",
    "add rsi, 16",
    "add rdi, 16",
    "cmp rdi, rcx",
    "jb 3b",
    "movups [rcx], xmm1",
    "ret",
    "4:",
    "mov rcx, rdx",
    "rep movsb",
    "ret",
    "weir_end memcpy",
    "weir_move_small:",
    ".cfi_startproc",
    "cmp edx, 8",
    "jae 5f",
    "cmp edx, 4",
    "jae 6f",
    "cmp edx, 1",
    "jb 8f",
    "je 7f",
    "movzx ecx, word ptr [rsi]",
    "movzx r8d, word ptr [rsi + rdx - 2]",
    "mov [rdi], cx",
    "mov [rdi + rdx - 2], r8w",
    "ret",
    "5:",
    "mov rcx, [rsi]",
    "mov r8, [rsi + rdx - 8]",
    "mov [rdi], rcx",
    "mov [rdi + rdx - 8], r8",
    "ret",
    "6:",
    "mov ecx, [rsi]",
    "mov r8d, [rsi + rdx - 4]",
    "mov [rdi], ecx",
    "mov [rdi + rdx - 4], r8d",
    "ret",
    "7:",
    "movzx ecx, byte ptr [rsi]",
    "mov [rdi], cl",
    "8:",
    "ret",
    ".cfi_endproc",
    // void *memmove(rdi, rsi, rdx)
    "weir_hidden memmove",
    "mov rax, rdi",
    "cmp rdx, 32",
    "jbe memcpy",
    "mov rcx, rdi",
    "sub rcx, rsi",
    // Forwards where the target does not begin within the source.
    "cmp rcx, rdx",
    "jae memcpy",
    // Backwards by 16, the first 16 by their start.
    "movups xmm1, [rsi]",
    "2:",
    "movups xmm0, [rsi + rdx - 16]",
    "movups [rdi + rdx - 16], xmm0",
    "sub rdx, 16",
    "cmp rdx, 16",
    "ja 2b",
    "movups [rdi], xmm1",
    "ret",
    "weir_end memmove",
    // void *memset(rdi, esi, rdx)
    "weir_hidden memset",
    "mov r8, rdi",
    "movzx eax, sil",
    "cmp rdx, 16",
    "jae 2f",
    "mov rcx, rdx",
    "rep stosb",
    "mov rax, r8",
    "ret",
    "2:",
    "cmp rdx, 512",
    "ja 4f",
    "mov rcx, 0x0101010101010101",
    "imul rax, rcx",
    "movq xmm0, rax",
    "punpcklqdq xmm0, xmm0",
    "lea rcx, [rdi + rdx - 16]",
    "3:",
    "movups [rdi], xmm0",
    "add rdi, 16",
    "cmp rdi, rcx",
    "jb 3b",
    "movups [rcx], xmm0",
    "mov rax, r8",
    "ret",
    "4:",
    "mov rcx, rdx",
    "rep stosb",
    "mov rax, r8",
    "ret",
    "weir_end memset",
    // int memcmp(rdi, rsi, rdx), by 8 bytes while they are equal; bcmp is the same.
    "weir_hidden bcmp",
    "jmp memcmp",
    "weir_end bcmp",
    "weir_hidden memcmp",
    "xor ecx, ecx",
    "2:",
    "lea rax, [rcx + 8]",
    "cmp rax, rdx",
    "ja 3f",
    "mov r8, [rdi + rcx]",
    "mov r9, [rsi + rcx]",
    "cmp r8, r9",
    "jne 4f",
    "mov rcx, rax",
    "jmp 2b",
    "3:",
    "cmp rcx, rdx",
    "je 5f",
    "movzx eax, byte ptr [rdi + rcx]",
    "movzx r8d, byte ptr [rsi + rcx]",
    "inc rcx",
    "sub eax, r8d",
    "je 3b",
    "ret",
    "4:",
    "bswap r8",
    "bswap r9",
    "cmp r8, r9",
    "sbb eax, eax",
    "or eax, 1",
    "ret",
    "5:",
    "xor eax, eax",
    "ret",
    "weir_end memcmp",
    // size_t strlen(rdi)
    "weir_hidden strlen",
    "mov rax, rdi",
    "2:",
    "cmp byte ptr [rax], 0",
    "je 3f",
    "inc rax",
    "jmp 2b",
    "3:",
    "sub rax, rdi",
    "ret",
    "weir_end strlen",
    ".popsection",
);

// The argument is what the dynamic linker has filled in for one variable: the number of its object, which is always ours, and
// its place in our part (ELF Handling For Thread-Local Storage, section 3.4.6). Where our part begins is told by one variable of
// which both distances are known to the linker.
#[cfg(not(test))]
global_asm!(
    ".pushsection .text.weir_threads,\"ax\",@progbits",
    ".globl __tls_get_addr",
    ".hidden __tls_get_addr",
    ".type __tls_get_addr, @function",
    "__tls_get_addr:",
    ".cfi_startproc",
    "movq %fs:0, %rax",
    "addq weir_thread_state@GOTTPOFF(%rip), %rax",
    "subq $weir_thread_state@DTPOFF, %rax",
    "addq 8(%rdi), %rax",
    "ret",
    ".cfi_endproc",
    ".size __tls_get_addr, . - __tls_get_addr",
    ".popsection",
    options(att_syntax),
);

/// Defines hidden functions that answer with a number.
#[cfg(not(test))]
macro_rules! answers {
    ($($name:literal => $answer:literal;)+) => {
        global_asm!(
            ".pushsection .text.weir_answers,\"ax\",@progbits",
            $(
                concat!(".globl ", $name),
                concat!(".hidden ", $name),
                concat!(".type ", $name, ", @function"),
                concat!($name, ":"),
                ".cfi_startproc",
                concat!("mov eax, ", $answer),
                "ret",
                ".cfi_endproc",
                concat!(".size ", $name, ", . - ", $name),
            )+
            ".popsection",
        );
    };
}

#[cfg(not(test))]
answers! {
    // The end of the stack: nobody catches.
    "_Unwind_RaiseException" => 5;
    "_Unwind_Backtrace" => 5;
    "_Unwind_GetLanguageSpecificData" => 0;
    "_Unwind_GetRegionStart" => 0;
    "_Unwind_GetTextRelBase" => 0;
    "_Unwind_GetDataRelBase" => 0;
    "_Unwind_GetIP" => 0;
    "_Unwind_GetIPInfo" => 0;
    "_Unwind_SetGR" => 0;
    "_Unwind_SetIP" => 0;
    "_Unwind_DeleteException" => 0;
    "dl_iterate_phdr" => 0;
    "getcwd" => 0;
    "getenv" => 0;
    "realpath" => 0;
    // EINVAL: no text.
    "__xpg_strerror_r" => 22;
    // Registered, and never called: what a thread of ours leaves ends with the process.
    "__cxa_thread_atexit_impl" => 0;
    // EAGAIN: not used where there is the one above.
    "pthread_key_create" => 11;
    "pthread_key_delete" => 0;
    "pthread_setspecific" => 11;
    // No number of a thread or process is told.
    "getpid" => 0;
    "gettid" => 0;
}

#[cfg(not(test))]
global_asm!(
    ".pushsection .text.weir_calls,\"ax\",@progbits",
    // ssize_t getrandom(rdi, rsi, edx), the system call (318).
    ".globl getrandom",
    ".hidden getrandom",
    ".type getrandom, @function",
    "getrandom:",
    ".cfi_startproc",
    "mov eax, 318",
    "syscall",
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
    "ud2",
    ".cfi_endproc",
    ".size abort, . - abort",
    ".size _Unwind_Resume, . - _Unwind_Resume",
    ".popsection",
);
