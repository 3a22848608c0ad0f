//! Step 2, the wrong way: a hook of `malloc` that prints, and never comes back.

use core::mem;
use libc::{c_void, size_t};

#[path = "../common/next.rs"]
mod next;
#[path = "../common/say.rs"]
mod say;
use next::Next;
use say::say;

type Malloc = unsafe extern "C" fn(size_t) -> *mut c_void;

static NEXT: Next = Next::new(c"malloc");

#[unsafe(no_mangle)]
unsafe extern "C" fn malloc(size: size_t) -> *mut c_void {
    // This line is safe, it needs no memory. It shows how often we get here.
    say(format_args!("malloc: entered"));

    // This one is the fault: a String is memory, memory comes from malloc, and malloc is us.
    let text = format!("malloc({size})");
    say(format_args!("{text}"));

    // SAFETY: the address is that of a malloc, and never null.
    let next = unsafe { mem::transmute::<*mut c_void, Malloc>(NEXT.address()) };
    // SAFETY: passed on as the program called us.
    unsafe { next(size) }
}
