//! What the dynamic linker answers about an address.

use std::ffi::{c_int, c_void};
use std::mem::transmute;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::objects::{self, Object};
use super::symbols::{Name, Tables};

/// `struct dl_find_object` (dlfcn.h), which has reserved words at its end.
#[repr(C)]
struct Found {
    flags: u64,
    from: usize,
    to: usize,
    object: usize,
    unwind: usize,
    reserved: [u64; 8],
}

/// The C library's `_dl_find_object`, which asks the linker; 0 where it has none (before glibc 2.35).
static FIND: AtomicUsize = AtomicUsize::new(0);

/// What the linker answers.
pub enum Answer {
    /// The address is in this object.
    Object(Object),
    /// It is in none.
    NoObject,
    /// It cannot be asked.
    Unknown,
}

/// Finds out whether it can be asked. For the start of the process.
pub fn begin() {
    let of_library = objects::all()
        .filter_map(|object| Tables::of(&object))
        .filter(|tables| tables.soname().starts_with(b"libc.so"));
    let found = of_library
        .filter_map(|tables| tables.find(Name::new(b"_dl_find_object")))
        .find(|found| !found.is_indirect);
    FIND.store(found.map_or(0, |found| found.address), Ordering::Relaxed);
}

/// In which object an address is. In any thread, signal handler and forked child: it takes no lock.
pub fn find(address: usize) -> Answer {
    let find = FIND.load(Ordering::Relaxed);
    if find == 0 {
        return Answer::Unknown;
    }
    // SAFETY: the C library's function of this name, which has this type (dlfcn.h).
    let find = unsafe { transmute::<usize, extern "C" fn(*mut c_void, *mut Found) -> c_int>(find) };
    let mut found = Found {
        flags: 0,
        from: 0,
        to: 0,
        object: 0,
        unwind: 0,
        reserved: [0; 8],
    };
    let place = std::ptr::with_exposed_provenance_mut(address);
    if find(place, &raw mut found) != 0 {
        return Answer::NoObject;
    }
    // SAFETY: the linker's entry for an object that is loaded.
    Answer::Object(unsafe { Object::at(found.object) })
}
