//! Functions of layers above this one that this layer passes on.
//!
//! Those layers put the functions here when the library is linked, because the first call may come before any
//! constructor has run.

use std::ffi::{c_int, c_void};

use libc::{FILE, off64_t, ssize_t};

use crate::arch;

/// The functions.
#[repr(C)]
pub struct Entries {
    /// The functions that replace those by which stdio asks the kernel.
    pub read: unsafe extern "C-unwind" fn(*mut FILE, *mut c_void, ssize_t) -> ssize_t,
    pub write: unsafe extern "C-unwind" fn(*mut FILE, *const c_void, ssize_t) -> ssize_t,
    pub seek: unsafe extern "C-unwind" fn(*mut FILE, off64_t, c_int) -> off64_t,
    pub close: unsafe extern "C-unwind" fn(*mut FILE) -> c_int,
    pub stat: unsafe extern "C-unwind" fn(*mut FILE, *mut c_void) -> c_int,
    /// Whether a call of `free` by its address reaches ours.
    pub is_free_reached: extern "C" fn() -> bool,
}

// Without this, the linker exports the symbol.
arch::hidden!("__start_weir_entries");

unsafe extern "C" {
    /// The start of the section `weir_entries`. The linker defines the symbol under this name (ld(1), "Orphan
    /// Sections").
    #[link_name = "__start_weir_entries"]
    static ENTRIES: Entries;
}

fn get() -> &'static Entries {
    // SAFETY: the section contains one value of this type, which is linked into the library, and nothing else.
    unsafe { &ENTRIES }
}

/// The addresses of the functions that stdio is to call.
pub fn stdio() -> [usize; 5] {
    let entries = get();
    [
        entries.read as *const () as usize,
        entries.write as *const () as usize,
        entries.seek as *const () as usize,
        entries.close as *const () as usize,
        entries.stat as *const () as usize,
    ]
}

/// Whether a call of `free` by its address reaches ours.
pub fn is_free_reached() -> bool {
    (get().is_free_reached)()
}
