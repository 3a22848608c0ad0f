//! Whether the program has only one thread.

use std::ffi::c_char;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use super::c_library;

/// The C library's variable that is not 0 as long as there has been only one thread (sys/single_threaded.h). NULL if
/// the C library has none, or does not know of all threads.
static VARIABLE: AtomicPtr<c_char> = AtomicPtr::new(ptr::null_mut());

/// Looks up that variable. For the start of the process only.
pub fn begin() {
    let found = c_library::variable(c"__libc_single_threaded");
    VARIABLE.store(ptr::with_exposed_provenance_mut(found), Ordering::Relaxed);
}

/// The program makes a thread by itself, of which the C library does not know.
pub fn end() {
    VARIABLE.store(ptr::null_mut(), Ordering::Relaxed);
}

/// Whether the program is known to have one thread. The writer's thread counts, too, if it is in the program.
pub fn is_so() -> bool {
    let word = VARIABLE.load(Ordering::Relaxed);
    // SAFETY: NULL was checked; else it is a variable of the C library, which is always mapped.
    !word.is_null() && unsafe { word.read_volatile() } != 0
}
