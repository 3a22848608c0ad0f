//! x86-64 (System V ABI, AMD64 supplement).

use std::arch::asm;
use std::ffi::c_void;

/// Calls `call(argument)` on the stack that ends at `top`.
///
/// # Safety
/// `top` is the end of a stack that nobody else is on, and a multiple of 16. `call` takes the argument, and unwinds into
/// nothing.
#[inline(always)]
pub unsafe fn call_on_stack(
    top: *mut c_void,
    call: extern "C" fn(*mut c_void),
    argument: *mut c_void,
) {
    // SAFETY: the stack is there, as the caller promises. `call` keeps r12, returns, and does not unwind out of an
    // `extern "C"` function.
    unsafe {
        asm!(
            "mov r12, rsp",
            "mov rsp, {top}",
            "call {call}",
            "mov rsp, r12",
            out("r12") _,
            top = in(reg) top,
            call = in(reg) call,
            in("rdi") argument,
            clobber_abi("C"),
        );
    }
}
