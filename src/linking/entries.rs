//! Functions of ours that stand above this layer, and that are handed on from here: who stands there puts them here
//! when the library is linked. The first call may come before any constructor has run.

use std::ffi::{c_int, c_void};

use libc::{FILE, off64_t, ssize_t};

use crate::arch;

/// The functions.
#[repr(C)]
pub struct Entries {
    /// What stands in the place of the functions by which stdio asks the kernel.
    pub read: unsafe extern "C-unwind" fn(*mut FILE, *mut c_void, ssize_t) -> ssize_t,
    pub write: unsafe extern "C-unwind" fn(*mut FILE, *const c_void, ssize_t) -> ssize_t,
    pub seek: unsafe extern "C-unwind" fn(*mut FILE, off64_t, c_int) -> off64_t,
    pub close: unsafe extern "C-unwind" fn(*mut FILE) -> c_int,
    pub stat: unsafe extern "C-unwind" fn(*mut FILE, *mut c_void) -> c_int,
    /// Whether the `free` that is ours is what is called by its address.
    pub is_free_reached: extern "C" fn() -> bool,
}

// Else the linker would export it.
arch::hidden!("__start_weir_entries");

unsafe extern "C" {
    /// Where the section `weir_entries` begins, by the linker's own name for that (ld(1), "Orphan Sections").
    #[link_name = "__start_weir_entries"]
    static ENTRIES: Entries;
}

fn get() -> &'static Entries {
    // SAFETY: the section holds one value of this type, which the library was linked with, and nothing else.
    unsafe { &ENTRIES }
}

/// The functions that stdio is to call, by their addresses.
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

/// Whether the `free` that is ours is what is called by its address.
pub fn is_free_reached() -> bool {
    (get().is_free_reached)()
}
