//! What is counted and not measured: ways around the C library's I/O functions.

use std::arch::naked_asm;
use std::ffi::{c_int, c_long, c_void};

use weir_record::functions::Function;

use super::{clone, process};
use crate::{image, next, recording, uring};

/// Defines hooks that count.
macro_rules! counted_hooks {
    ($($function:ident = $name:ident($($argument:ident: $type:ty),*);)+) => {$(
        /// # Safety
        /// As the C library has it.
        #[cfg_attr(not(test), unsafe(no_mangle))]
        unsafe extern "C-unwind" fn $name($($argument: $type),*) -> c_int {
            recording::count(Function::$function);
            // SAFETY: what the caller promises is what the next one asks.
            let result = unsafe {
                next::of::<unsafe extern "C-unwind" fn($($type),*) -> c_int>(Function::$function)(
                    $($argument),*
                )
            };
            if result == -1 {
                recording::count_failure(Function::$function);
            }
            result
        }
    )+};
}

counted_hooks! {
    AioRead = aio_read(request: *mut c_void);
    AioRead64 = aio_read64(request: *mut c_void);
    AioWrite = aio_write(request: *mut c_void);
    AioWrite64 = aio_write64(request: *mut c_void);
    LioListio = lio_listio(mode: c_int, list: *const *mut c_void, count: c_int, event: *mut c_void);
    LioListio64 = lio_listio64(mode: c_int, list: *const *mut c_void, count: c_int, event: *mut c_void);
}

/// Any system call. Its arguments stay where they are, in the registers and on the stack, and its result is seen by
/// nobody but the program: the call is a jump, as if we were not there.
///
/// # Safety
/// As syscall(2) has it.
#[unsafe(naked)]
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn syscall() {
    naked_asm!(
        ".cfi_startproc",
        "push rdi",
        "push rsi",
        "push rdx",
        "push rcx",
        "push r8",
        "push r9",
        "sub rsp, 8",
        ".cfi_adjust_cfa_offset 56",
        "call {counted}",
        "mov r11, rax",
        "add rsp, 8",
        "pop r9",
        "pop r8",
        "pop rcx",
        "pop rdx",
        "pop rsi",
        "pop rdi",
        ".cfi_adjust_cfa_offset -56",
        "jmp r11",
        ".cfi_endproc",
        counted = sym count_syscall,
    )
}

/// Counts a system call, and tells where to go on. One that takes rights from the process is taken to succeed.
extern "C" fn count_syscall(number: c_long, a: usize, b: usize, c: usize) -> usize {
    recording::count(Function::Syscall);
    uring::called(number);
    let seals = match number {
        // Its operations count from 0, the modes of prctl from 1.
        libc::SYS_seccomp => process::seals((a as u32 as usize).wrapping_add(1), c),
        libc::SYS_prctl => a as c_int == libc::PR_SET_SECCOMP && process::seals(b, c),
        _ => false,
    };
    if seals {
        image::seal();
    }
    if clone::forks(number, a, b) {
        image::announce_child();
        return clone::forking();
    }
    next::address(Function::Syscall).get()
}
