//! Threads that the program starts. The calls are counted. If the writer lives in the program, the hook then starts the
//! writer's thread, too. It may start there only: the start of a thread allocates, and waits for locks.

use std::ffi::{c_int, c_void};

use weir_record::functions::Function;

use crate::life::writer;
use crate::linking::{c_library, next};
use crate::program_memory::own_stack;
use crate::recording;

/// # Safety
/// The same contract as pthread_create(3).
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn pthread_create(
    thread: *mut libc::pthread_t,
    attributes: *const libc::pthread_attr_t,
    run: *const c_void,
    argument: *mut c_void,
) -> c_int {
    let counted = recording::count(Function::PthreadCreate);
    next::ensure(Function::PthreadCreate);
    if !attributes.is_null() {
        let mut bytes = 0;
        // SAFETY: our caller keeps the contract of pthread_create.
        let status =
            unsafe { c_library::pthread_attr_getstacksize(attributes.cast(), &raw mut bytes) };
        own_stack::thread_is_made(if status == Some(0) { bytes } else { 0 });
    }
    // SAFETY: the next function has the same contract, and our caller keeps it; `ensure` has found it.
    let result = unsafe { next::pthread_create(thread, attributes, run, argument) };
    if result == 0 {
        writer::start();
    } else {
        counted.failed_by(Function::PthreadCreate, result);
    }
    result
}
