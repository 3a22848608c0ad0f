//! The loaded objects: the program and its libraries, as the dynamic linker lists them for debuggers.
//!
//! This module reads the list itself. `dl_iterate_phdr` waits for the linker's lock, which may never be released in a
//! forked child, and a program may have a `dl_iterate_phdr` of its own. The list is complete before the first object
//! is initialised (`struct r_debug`, link.h). Later, another thread may change it. Then use [`walk`], which reads
//! every word through the kernel: at an entry that is gone, it ends the walk instead of causing a fault.

use std::ffi::{CStr, c_char, c_int};
use std::mem::offset_of;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::sys;

/// The part of an object's entry that link.h declares.
#[repr(C)]
struct LinkMap {
    base: usize,
    name: *const c_char,
    dynamic: *const DynamicEntry,
    next: *const LinkMap,
}

/// An entry of an object's dynamic section: tag and value.
pub type DynamicEntry = [usize; 2];

#[repr(C)]
struct Debug {
    version: c_int,
    first: *const LinkMap,
    at_change: usize,
    state: c_int,
    base: usize,
}

/// From this version of the structure on, a pointer to the next namespace's list follows it (link.h,
/// `r_debug_extended`).
const WITH_NAMESPACES: c_int = 2;

unsafe extern "C" {
    #[link_name = "_r_debug"]
    static DEBUG: Debug;
    /// The dynamic section of this library. The linker defines this symbol and does not export it.
    #[link_name = "_DYNAMIC"]
    static OWN_DYNAMIC: DynamicEntry;
}

/// The longest list that is read, in objects. A longer one is taken for damaged.
const MOST: usize = 65_536;

/// A loaded object.
#[derive(Clone, Copy)]
pub struct Object {
    base: usize,
    name: *const c_char,
    dynamic: *const DynamicEntry,
}

/// All objects, in the order in which the dynamic linker searches those that the program was started with. The first
/// is the program itself. For the start of the process, while no other thread loads or unloads an object.
pub fn all() -> impl Iterator<Item = Object> {
    // SAFETY: the dynamic linker's own list, whose entries stay while their objects are loaded.
    let first = unsafe { DEBUG.first.as_ref() };
    // SAFETY: as above.
    let maps = std::iter::successors(first, |map| unsafe { map.next.as_ref() });
    maps.take(MOST).map(|map| Object {
        base: map.base,
        name: map.name,
        dynamic: map.dynamic,
    })
}

/// The last entry of the list that [`remember`] saw; 0 if it saw none.
static LAST: AtomicUsize = AtomicUsize::new(0);

/// Remembers which objects there are. For the start of the process.
pub fn remember() {
    // SAFETY: as in `all`.
    let first = unsafe { DEBUG.first.as_ref() };
    // SAFETY: as in `all`.
    let maps = std::iter::successors(first, |map| unsafe { map.next.as_ref() });
    let last = maps.take(MOST).last();
    LAST.store(
        last.map_or(0, |map| ptr::from_ref(map).addr()),
        Ordering::Relaxed,
    );
}

/// Whether there are objects that [`remember`] did not see. Those that it saw stay loaded.
pub fn have_come() -> bool {
    let next = LAST.load(Ordering::Relaxed) + offset_of!(LinkMap, next);
    let mut bytes = [0; size_of::<usize>()];
    peek(next, &mut bytes) < bytes.len() || usize::from_ne_bytes(bytes) != 0
}

/// Whether there are, or were, objects in another namespace (dlmopen(3)). Their calls are bound in that namespace and
/// never reach us.
pub fn are_in_other_namespaces() -> bool {
    // SAFETY: the dynamic linker's variable, which is always mapped. The linker may be writing it, so this is a
    // volatile read of one word.
    let version = unsafe { (&raw const DEBUG.version).read_volatile() };
    if version < WITH_NAMESPACES {
        return false;
    }
    let mut next = [0; size_of::<usize>()];
    let place = (&raw const DEBUG).addr() + size_of::<Debug>();
    peek(place, &mut next) == next.len() && usize::from_ne_bytes(next) != 0
}

/// This library.
pub fn ours() -> Option<Object> {
    all().find(Object::is_ours)
}

/// The object that contains an address. Found by the objects' base addresses: no object lies within another. Callable
/// at any time.
pub fn around(address: usize) -> Option<Object> {
    let mut best = None;
    walk(|object| {
        best = nearer(best, object, address);
        true
    });
    best
}

/// The same as [`around`], for the start of the process, without system calls.
pub fn around_at_start(address: usize) -> Option<Object> {
    all().fold(None, |best, object| nearer(best, object, address))
}

/// The object that begins closest below an address.
fn nearer(best: Option<Object>, other: Object, address: usize) -> Option<Object> {
    let is_nearer = other.base <= address && best.is_none_or(|best| best.base <= other.base);
    if is_nearer { Some(other) } else { best }
}

/// Calls `show` with every object's name, until it returns false. Callable at any time, in any thread.
pub fn names_now(mut show: impl FnMut(&[u8]) -> bool) {
    walk(|object| {
        let mut goes_on = false;
        show_name(object, |name| goes_on = show(name));
        goes_on
    });
}

/// Shows every object until `visit` is content. At any time, in any thread: an object may be gone once it is shown.
pub fn each_now(mut visit: impl FnMut(Object) -> bool) {
    walk(&mut visit);
}

/// Calls `show` with each object that [`remember`] did not see, until it returns false. Callable at any time, in any
/// thread. The object may be unloaded meanwhile, so `show` may pass it only to functions that read through the kernel
/// ([`late_dynamic`], [`show_name`]).
pub fn late_ones(mut show: impl FnMut(Object) -> bool) {
    let next = LAST.load(Ordering::Relaxed) + offset_of!(LinkMap, next);
    let mut first = [0; size_of::<usize>()];
    if peek(next, &mut first) == first.len() {
        walk_from(usize::from_ne_bytes(first), &mut show);
    }
}

/// Shows the entries of the dynamic section of an object that may have been unloaded.
pub fn late_dynamic(object: Object, mut show: impl FnMut(DynamicEntry)) {
    const MOST_ENTRIES: usize = 128;
    const WORD: usize = size_of::<usize>();
    let mut bytes = [0; MOST_ENTRIES * size_of::<DynamicEntry>()];
    let length = peek(object.dynamic.addr(), &mut bytes);
    for entry in bytes[..length].chunks_exact(size_of::<DynamicEntry>()) {
        let word =
            |index: usize| usize::from_ne_bytes(std::array::from_fn(|at| entry[index * WORD + at]));
        if word(0) == 0 {
            return;
        }
        show([word(0), word(1)]);
    }
}

/// Shows the name of an object that may have been unloaded; empty if it cannot be read.
pub fn show_name(object: Object, show: impl FnOnce(&[u8])) {
    let mut name = [0; 256];
    let length = peek(object.name.addr(), &mut name);
    let name = name[..length].split(|&byte| byte == 0).next();
    show(name.unwrap_or_default());
}

/// Visits the entries of the list, until `visit` returns false.
fn walk(mut visit: impl FnMut(Object) -> bool) {
    // SAFETY: the dynamic linker's variable, which is always mapped.
    walk_from(unsafe { DEBUG.first }.addr(), &mut visit);
}

/// The same as [`walk`], from one of the list's entries on.
fn walk_from(first: usize, visit: &mut impl FnMut(Object) -> bool) {
    const WORD: usize = size_of::<usize>();
    let mut at = first;
    for _ in 0..MOST {
        let mut bytes = [0; size_of::<LinkMap>()];
        if at == 0 || peek(at, &mut bytes) < bytes.len() {
            return;
        }
        let word = |index: usize| {
            let bytes: [u8; WORD] = std::array::from_fn(|at| bytes[index * WORD + at]);
            usize::from_ne_bytes(bytes)
        };
        let object = Object {
            base: word(0),
            name: ptr::with_exposed_provenance(word(1)),
            dynamic: ptr::with_exposed_provenance(word(2)),
        };
        if !visit(object) {
            return;
        }
        at = word(3);
    }
}

/// Copies memory that may not be mapped. Returns how many bytes were copied.
pub fn peek(address: usize, into: &mut [u8]) -> usize {
    sys::peek_at(address, into).unwrap_or(0)
}

impl Object {
    /// The object of an entry of the linker's list.
    ///
    /// # Safety
    /// The entry is there, and stays for the moment.
    pub unsafe fn at(entry: usize) -> Object {
        // SAFETY: as the caller promises.
        let map = unsafe { &*ptr::with_exposed_provenance::<LinkMap>(entry) };
        Object {
            base: map.base,
            name: map.name,
            dynamic: map.dynamic,
        }
    }

    /// Whether it is this library.
    pub fn is_ours(&self) -> bool {
        ptr::eq(self.dynamic, &raw const OWN_DYNAMIC)
    }

    /// The difference between its addresses and those in its file, in bytes.
    pub fn base(&self) -> usize {
        self.base
    }

    /// The dynamic linker's name for it; empty for the program itself.
    pub fn name(&self) -> &'static CStr {
        if self.name.is_null() {
            return c"";
        }
        // SAFETY: a C string, which stays while the object is loaded.
        unsafe { CStr::from_ptr(self.name) }
    }

    /// Its segments. `None` if the head of its file is not mapped at its base address.
    pub fn segments(&self) -> Option<&'static [libc::Elf64_Phdr]> {
        const HEAD: usize = size_of::<libc::Elf64_Ehdr>();
        // A program with fixed addresses has the base address 0, where nothing is mapped.
        if self.base == 0 {
            return None;
        }
        let mut head = [0; HEAD];
        match sys::peek_at(self.base, &mut head) {
            Some(HEAD) => {}
            Some(_) => return None,
            // Sandboxes and emulators may forbid a process to copy its own memory by this system call.
            None => {
                let place = ptr::with_exposed_provenance::<[u8; HEAD]>(self.base);
                if !sys::is_readable(place.cast(), HEAD) {
                    return None;
                }
                // SAFETY: the kernel says that it can be read, and it stays while the object is loaded.
                head = unsafe { place.read() };
            }
        }
        if !head.starts_with(b"\x7fELF") {
            return None;
        }
        // SAFETY: `head` has the size of the structure, for which any bytes are valid.
        let head: libc::Elf64_Ehdr =
            unsafe { head.as_ptr().cast::<libc::Elf64_Ehdr>().read_unaligned() };
        let at = self.base + head.e_phoff as usize;
        // SAFETY: the linker puts the table behind the head, in the same segment, which stays while the object is
        // loaded.
        Some(unsafe {
            std::slice::from_raw_parts(ptr::with_exposed_provenance(at), head.e_phnum.into())
        })
    }

    /// The entries of its dynamic section.
    pub fn dynamic(&self) -> impl Iterator<Item = DynamicEntry> {
        const NULL: usize = 0;
        let mut at = self.dynamic;
        std::iter::from_fn(move || {
            if at.is_null() {
                return None;
            }
            // SAFETY: the dynamic section of a loaded object ends with an entry whose tag is 0, and no entry after
            // that is read.
            let entry = unsafe { at.read() };
            // SAFETY: if this entry was the last, the new pointer is not read: the iterator is fused.
            at = unsafe { at.add(1) };
            (entry[0] != NULL).then_some(entry)
        })
        .fuse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_c_library_is_listed_and_found_by_an_address_in_it() {
        let is_it = |object: &Object| object.name().to_bytes().ends_with(b"/libc.so.6");
        assert_eq!(all().filter(is_it).count(), 1);
        let place = libc::getppid as *const () as usize;
        assert!(is_it(&around(place).expect("it is loaded")));
        assert!(is_it(&around_at_start(place).expect("it is loaded")));
        let mut names = 0;
        names_now(|name| {
            names += usize::from(name.ends_with(b"/libc.so.6"));
            true
        });
        assert_eq!(names, 1);
        assert_eq!(all().filter(Object::is_ours).count(), 1);
    }
}
