//! What the compiler and Rust's standard library would take from the C library: here, under the same names, and seen by
//! nobody else.
//!
//! A program may own any name of the C library: a sanitizer's `memcpy` comes before the C library's, and cannot be called
//! before the sanitizer has started. So the few that compiled Rust code calls by itself are defined here, hidden: the linker
//! binds our references to them and exports none. They are in assembly (`arch/`), because the compiler would make a call of
//! `memcpy` out of a loop that is one.
//!
//! - Memory: `memcpy` and its kin. Small blocks by two moves that may overlap, others by 16 bytes, long ones by the processor's
//!   own copying.
//! - Thread-local storage: the library is loaded with the program, so its part stands at a fixed distance from the thread
//!   pointer. The C library's `__tls_get_addr` would find it too, but may allocate first, or wait for the linker's lock.
//! - Unwinding: a frame of ours has nothing to do when the C library unwinds through it (pthread_cancel): the hooks
//!   hold nothing across a real call. So the personality routine finds no clean-up. Nothing of ours panics, and if it
//!   did, nothing could catch it.
//! - What a panic's message would ask (directory, environment, backtrace) is answered with nothing: none is printed.

#[cfg(not(test))]
use crate::arch::answers;

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
    "_Unwind_FindEnclosingFunction" => 0;
    "_Unwind_GetCFA" => 0;
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
    // No number of a thread or process is asked for.
    "getpid" => 0;
    "gettid" => 0;
}
