//! Step 3, the other party: a `dlsym` that allocates, as older versions of glibc had it.
//!
//! There `dlsym` called `calloc` for the place of its error message before it looked anything up.
//! This one callocs a copy of each name it is asked for, keeps the last and frees the one before.

use core::ffi::{CStr, c_char, c_void};
use core::mem;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

type Dlsym = unsafe extern "C" fn(*mut c_void, *const c_char) -> *mut c_void;

static LAST: AtomicPtr<c_char> = AtomicPtr::new(ptr::null_mut());

/// The version that `dlsym` has had in glibc since this architecture came to it.
#[cfg(target_arch = "x86_64")]
const FIRST_VERSION: &CStr = c"GLIBC_2.2.5";
#[cfg(target_arch = "aarch64")]
const FIRST_VERSION: &CStr = c"GLIBC_2.17";

#[unsafe(no_mangle)]
unsafe extern "C" fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void {
    // SAFETY: the caller gives us a C string; `copy` has room for it and its zero.
    unsafe {
        let len = libc::strlen(name);
        let copy = libc::calloc(1, len + 1).cast::<c_char>();
        if !copy.is_null() {
            ptr::copy_nonoverlapping(name, copy, len);
        }
        let before = LAST.swap(copy, Ordering::AcqRel);
        libc::free(before.cast());
    }

    // dlsym can't be found by dlsym here, that is us; dlvsym is another function and still libc's.
    // SAFETY: every glibc of this architecture has a dlsym of that version, of this type.
    unsafe {
        let next = libc::dlvsym(libc::RTLD_NEXT, c"dlsym".as_ptr(), FIRST_VERSION.as_ptr());
        let next = mem::transmute::<*mut c_void, Dlsym>(next);
        next(handle, name)
    }
}

/// Gives the last name away: the caller owns it now, and frees it. Null when there is none.
#[unsafe(no_mangle)]
extern "C" fn take_last_name() -> *mut c_char {
    LAST.swap(ptr::null_mut(), Ordering::AcqRel)
}
