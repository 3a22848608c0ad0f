//! A link of the chain: says whom it calls, calls, and says what came back.

use core::ffi::{CStr, c_int, c_void};
use core::mem;
use core::mem::MaybeUninit;

#[path = "../common/next.rs"]
mod next;
use crate::say::say;
use next::Next;

type Rand = unsafe extern "C" fn() -> c_int;

/// The name of the library that this file is compiled into: red or blue.
const ME: &str = env!("CARGO_CRATE_NAME");

static NEXT: Next = Next::new(c"rand");

#[unsafe(no_mangle)]
extern "C" fn rand() -> c_int {
    let next = NEXT.address();
    say(format_args!(
        "{ME}: rand() called, next is {}",
        library_of(next)
    ));

    // SAFETY: the address is that of a rand, and never null.
    let number = unsafe { mem::transmute::<*mut c_void, Rand>(next)() };
    say(format_args!("{ME}: rand() returns {number}"));
    number
}

/// The file name of the library that an address lies in.
fn library_of(address: *mut c_void) -> &'static str {
    let mut info = MaybeUninit::<libc::Dl_info>::uninit();
    // SAFETY: dladdr fills `info` in when it returns non-zero; the name it gives is that of a
    // library of the chain, and stays as long as the library is loaded.
    let path = unsafe {
        if libc::dladdr(address, info.as_mut_ptr()) == 0 {
            return "unknown";
        }
        CStr::from_ptr(info.assume_init().dli_fname)
    };
    let path = path.to_str().unwrap_or("unknown");
    path.rsplit('/').next().unwrap_or(path)
}
