//! Step 5, the trap: who called `dlsym`? It looks at its return address to find out.
//!
//! This interposer of `rand` also tells the program where the real one is, in two ways that differ
//! in nothing but their last instruction.

use core::ffi::{c_int, c_void};
use core::hint;

#[unsafe(no_mangle)]
extern "C" fn rand() -> c_int {
    4
}

/// Wrong. A call that is the last thing a function does is compiled to a jump: `dlsym` then returns
/// straight to the program, takes the program for its caller, and finds what is next after *that*.
#[unsafe(no_mangle)]
extern "C" fn real_rand_by_jump() -> *mut c_void {
    // SAFETY: the name is a C string; RTLD_NEXT asks for no library to be open.
    unsafe { libc::dlsym(libc::RTLD_NEXT, c"rand".as_ptr()) }
}

/// Right. Something is left to do after the call, so that it has to return to here.
#[unsafe(no_mangle)]
extern "C" fn real_rand_by_call() -> *mut c_void {
    // SAFETY: as above.
    let found = unsafe { libc::dlsym(libc::RTLD_NEXT, c"rand".as_ptr()) };
    hint::black_box(found)
}
