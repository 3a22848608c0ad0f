//! Step 4: an interposer that does not chain. Whoever stands behind it is never called.

use core::ffi::c_int;

#[path = "../common/say.rs"]
mod say;
use say::say;

#[unsafe(no_mangle)]
extern "C" fn rand() -> c_int {
    say(format_args!("dead_end: rand() returns 4, and asks nobody"));
    4
}
