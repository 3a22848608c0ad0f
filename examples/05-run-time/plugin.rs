//! Step 5: a library that is not there when the program starts, and is loaded when it asks.

use core::ffi::{CStr, c_char};

#[path = "../common/say.rs"]
mod say;
use say::say;

const GREETING: &CStr = c"Good";

#[unsafe(no_mangle)]
extern "C" fn greeting() -> *const c_char {
    GREETING.as_ptr()
}

#[used]
#[unsafe(link_section = ".init_array")]
static WHEN_LOADED: extern "C" fn() = when_loaded;

extern "C" fn when_loaded() {
    say(format_args!("plugin: loaded"));
}

#[used]
#[unsafe(link_section = ".fini_array")]
static WHEN_UNLOADED: extern "C" fn() = when_unloaded;

extern "C" fn when_unloaded() {
    say(format_args!("plugin: unloaded"));
}
