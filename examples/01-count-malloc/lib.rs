//! Step 1: count the program's calls of `malloc`, and say at its end how many they were.

use core::mem;
use core::sync::atomic::{AtomicU64, Ordering};
use libc::{c_void, size_t};

#[path = "../common/say.rs"]
mod say;
use say::say;

type Malloc = unsafe extern "C" fn(size_t) -> *mut c_void;

static CALLS: AtomicU64 = AtomicU64::new(0);

/// What the program gets when it calls `malloc`: this library was loaded before libc.
#[unsafe(no_mangle)]
unsafe extern "C" fn malloc(size: size_t) -> *mut c_void {
    CALLS.fetch_add(1, Ordering::Relaxed);
    // SAFETY: libc comes after us and defines malloc, so the pointer is not null and has this type.
    unsafe {
        let next = libc::dlsym(libc::RTLD_NEXT, c"malloc".as_ptr());
        let next = mem::transmute::<*mut c_void, Malloc>(next);
        next(size)
    }
}

/// The dynamic linker calls what it finds in this section when the program exits.
#[used]
#[unsafe(link_section = ".fini_array")]
static AT_EXIT: extern "C" fn() = at_exit;

extern "C" fn at_exit() {
    let calls = CALLS.load(Ordering::Relaxed);
    say(format_args!("malloc was called {calls} times"));
}
