//! Threads that the program starts. The calls are counted. If the writer lives in the program, the hook then starts the
//! writer's thread, too. It may start there only: the start of a thread allocates, and waits for locks.

use std::ffi::{c_int, c_void};

use weir_record::functions::Function;

use crate::life::writer;
use crate::linking::next;
use crate::{recording, stacks};

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
    // SAFETY: our caller keeps the contract of pthread_create.
    unsafe { stacks::thread_is_made(attributes) };
    // SAFETY: the next function has the same contract, and our caller keeps it; `ensure` has found it.
    let result = unsafe { next::pthread_create(thread, attributes, run, argument) };
    if result == 0 {
        writer::start();
    } else {
        counted.failed_by(Function::PthreadCreate, result);
    }
    result
}
