//! Step 3, the wrong way: hooks that trust `dlsym` to need no memory.

use core::mem;
use libc::{c_void, size_t};

#[path = "../common/next.rs"]
mod next;
#[path = "../common/say.rs"]
mod say;
use next::Next;
use say::say;

type Malloc = unsafe extern "C" fn(size_t) -> *mut c_void;
type Calloc = unsafe extern "C" fn(size_t, size_t) -> *mut c_void;

static MALLOC: Next = Next::new(c"malloc");
static CALLOC: Next = Next::new(c"calloc");

#[unsafe(no_mangle)]
unsafe extern "C" fn malloc(size: size_t) -> *mut c_void {
    say(format_args!("malloc: entered"));
    // The first call asks dlsym for the real malloc. If dlsym calls calloc ...
    let next = MALLOC.address();
    // SAFETY: the address is that of a malloc, and never null; the call is passed on as it came.
    unsafe { mem::transmute::<*mut c_void, Malloc>(next)(size) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn calloc(count: size_t, size: size_t) -> *mut c_void {
    say(format_args!("calloc: entered"));
    // ... we are here, and ask dlsym for the real calloc. It calls calloc first.
    let next = CALLOC.address();
    // SAFETY: the address is that of a calloc, and never null; the call is passed on as it came.
    unsafe { mem::transmute::<*mut c_void, Calloc>(next)(count, size) }
}
