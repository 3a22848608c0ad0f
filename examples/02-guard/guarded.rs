//! Step 2: the same hook, with a guard. It still prints, and it comes back.

use core::cell::Cell;
use core::mem;
use core::sync::atomic::{AtomicU64, Ordering};
use libc::{c_void, size_t};

#[path = "../common/next.rs"]
mod next;
#[path = "../common/say.rs"]
mod say;
use next::Next;
use say::say;

type Malloc = unsafe extern "C" fn(size_t) -> *mut c_void;

static NEXT: Next = Next::new(c"malloc");
static OF_THE_PROGRAM: AtomicU64 = AtomicU64::new(0);
static OF_OUR_OWN: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// Is this thread inside our own bookkeeping? Const, and without a destructor: a value that
    /// needed either would be made by malloc on first use.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

#[unsafe(no_mangle)]
unsafe extern "C" fn malloc(size: size_t) -> *mut c_void {
    if INSIDE.replace(true) {
        OF_OUR_OWN.fetch_add(1, Ordering::Relaxed);
    } else {
        OF_THE_PROGRAM.fetch_add(1, Ordering::Relaxed);
        let text = format!("malloc({size})");
        say(format_args!("{text}"));
        drop(text);
        INSIDE.set(false);
    }

    // Outside the guard: the real call is the program's, not ours.
    // SAFETY: the address is that of a malloc, and never null.
    let next = unsafe { mem::transmute::<*mut c_void, Malloc>(NEXT.address()) };
    // SAFETY: passed on as the program called us.
    unsafe { next(size) }
}

#[used]
#[unsafe(link_section = ".fini_array")]
static AT_EXIT: extern "C" fn() = at_exit;

extern "C" fn at_exit() {
    let program = OF_THE_PROGRAM.load(Ordering::Relaxed);
    let own = OF_OUR_OWN.load(Ordering::Relaxed);
    say(format_args!(
        "malloc was called {program} times by the program, {own} times by this hook"
    ));
}
