//! Calls that are counted but not timed: ways around the C library's I/O functions.

use std::ffi::{c_int, c_long, c_void};

use weir_record::functions::Function;

use super::{clone, raw, taken};
use crate::arch;
use crate::linking::{next, uring};
use crate::{recording, sys};

/// Defines hooks that only count.
macro_rules! counted_hooks {
    ($($function:ident = fn $name:ident($($argument:ident: $type:ty),*);)+) => {$(
        /// # Safety
        /// The same contract as the C library's function of this name.
        #[cfg_attr(not(test), unsafe(no_mangle))]
        unsafe extern "C-unwind" fn $name($($argument: $type),*) -> c_int {
            let counted = recording::count(Function::$function);
            let result = next::next_call!($function($($argument: $type),*) -> c_int);
            if result == -1 {
                counted.failed(Function::$function);
            }
            result
        }
    )+};
}

counted_hooks! {
    AioRead = fn aio_read(request: *mut c_void);
    AioRead64 = fn aio_read64(request: *mut c_void);
    AioWrite = fn aio_write(request: *mut c_void);
    AioWrite64 = fn aio_write64(request: *mut c_void);
}

/// Any system call. The hook counts it, and then jumps to the next function. So the arguments stay in their registers
/// and on the stack, and only the program sees the result.
///
/// # Safety
/// The same contract as syscall(2).
#[unsafe(naked)]
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn syscall() {
    arch::jump_to_answer!(count_syscall)
}

/// Counts a system call, and returns the address to which the hook jumps.
extern "C" fn count_syscall(number: c_long, a: usize, b: usize, c: usize) -> usize {
    recording::count(Function::Syscall);
    uring::called(number);
    if taken::takes(number, a, b, c) {
        return taken::by_system_call();
    }
    let forks = if sys::is_sealed() {
        taken::going_on(number, a, b)
    } else {
        clone::going_on(number, a)
    };
    forks
        .or_else(|| raw::followed(number, a, b, c))
        .unwrap_or_else(|| next::address(Function::Syscall).get())
}
