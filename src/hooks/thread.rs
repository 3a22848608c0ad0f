//! Threads that the program starts: counted; and where it starts one, so do we, if the writer lives in the program.
//! Nowhere else may we: a thread's start allocates, and waits for locks.

use std::ffi::{c_int, c_void};

use weir_record::functions::Function;

use crate::life::writer;
use crate::linking::next;
use crate::recording;

/// # Safety
/// As pthread_create(3) has it.
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn pthread_create(
    thread: *mut libc::pthread_t,
    attributes: *const libc::pthread_attr_t,
    run: *const c_void,
    argument: *mut c_void,
) -> c_int {
    recording::count(Function::PthreadCreate);
    next::ensure(Function::PthreadCreate);
    // SAFETY: what the caller promises is what the next one asks, which has been found.
    let result = unsafe { next::pthread_create(thread, attributes, run, argument) };
    if result == 0 {
        writer::start();
    } else {
        recording::count_failure_of(Function::PthreadCreate, result);
    }
    result
}
