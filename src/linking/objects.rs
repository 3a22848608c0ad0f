//! The objects that are loaded: the program and its libraries, as the dynamic linker lists them for debuggers.
//!
//! We read the list ourselves: `dl_iterate_phdr` waits for the linker's lock, which in a forked child may never
//! be released, and a program may have a `dl_iterate_phdr` of its own. The list is complete before the first object
//! is initialised (`struct r_debug`, link.h). Later another thread may change it: then use
//! [`walk`], which reads every word through the kernel, so that an entry that is gone is the end and not a fault.

use std::ffi::{CStr, c_char, c_int};
use std::mem::offset_of;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::sys;

/// What link.h shows of an object.
#[repr(C)]
struct LinkMap {
    base: usize,
    name: *const c_char,
    dynamic: *const DynamicEntry,
    next: *const LinkMap,
}

/// An entry of an object's dynamic section: its tag and its value.
pub type DynamicEntry = [usize; 2];

#[repr(C)]
struct Debug {
    version: c_int,
    first: *const LinkMap,
    at_change: usize,
    state: c_int,
    base: usize,
}

/// From this version on the lists of other namespaces follow: a pointer to the next stands behind this one (link.h,
/// `r_debug_extended`).
const WITH_NAMESPACES: c_int = 2;

unsafe extern "C" {
    #[link_name = "_r_debug"]
    static DEBUG: Debug;
    /// Our own dynamic section, which the linker names and does not export.
    #[link_name = "_DYNAMIC"]
    static OWN_DYNAMIC: DynamicEntry;
}

/// The longest list that is believed.
const MOST: usize = 65_536;

/// A loaded object.
#[derive(Clone, Copy)]
pub struct Object {
    base: usize,
    name: *const c_char,
    dynamic: *const DynamicEntry,
}

/// Every object, in the order in which the dynamic linker searches those that the program was started with: the first is the
/// program itself. For the start of the process, while no other thread loads or unloads any.
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

/// The last object that [`remember`] saw; 0 where it saw none.
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

/// Whether there are objects now that [`remember`] did not see: those that it saw stay.
pub fn have_come() -> bool {
    let next = LAST.load(Ordering::Relaxed) + offset_of!(LinkMap, next);
    let mut bytes = [0; size_of::<usize>()];
    peek(next, &mut bytes) < bytes.len() || usize::from_ne_bytes(bytes) != 0
}

/// Whether there are, or were, objects in another namespace (dlmopen(3)): what they call is looked for there, and never reaches us.
pub fn are_in_other_namespaces() -> bool {
    // SAFETY: the dynamic linker's variable, which it may be writing: a word that is there.
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

/// The object that holds what is at an address, by where the objects begin: none lies within another. At any time.
pub fn around(address: usize) -> Option<Object> {
    let mut best = None;
    walk(|object| {
        best = nearer(best, object, address);
        true
    });
    best
}

/// The same for the start of the process, without system calls.
pub fn around_at_start(address: usize) -> Option<Object> {
    all().fold(None, |best, object| nearer(best, object, address))
}

/// The one of two objects that begins last before an address.
fn nearer(best: Option<Object>, other: Object, address: usize) -> Option<Object> {
    let is_nearer = other.base <= address && best.is_none_or(|best| best.base <= other.base);
    if is_nearer { Some(other) } else { best }
}

/// Shows every object's name until `show` is content. At any time, in any thread.
pub fn names_now(mut show: impl FnMut(&[u8]) -> bool) {
    walk(|object| {
        let mut goes_on = false;
        show_name(object, |name| goes_on = show(name));
        goes_on
    });
}

/// Shows the objects that [`remember`] did not see until `show` has seen enough. At any time, in any thread: an object may be gone
/// once it is shown, so only what asks the kernel may be asked of it ([`late_dynamic`], [`show_name`]).
pub fn late_ones(mut show: impl FnMut(Object) -> bool) {
    let next = LAST.load(Ordering::Relaxed) + offset_of!(LinkMap, next);
    let mut first = [0; size_of::<usize>()];
    if peek(next, &mut first) == first.len() {
        walk_from(usize::from_ne_bytes(first), &mut show);
    }
}

/// Shows the entries of the dynamic section of an object that may be gone.
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

/// Shows the name of an object that may be gone.
pub fn show_name(object: Object, show: impl FnOnce(&[u8])) {
    let mut name = [0; 256];
    let length = peek(object.name.addr(), &mut name);
    let name = name[..length].split(|&byte| byte == 0).next();
    show(name.unwrap_or_default());
}

/// Goes along the list until `visit` says that it has seen enough.
fn walk(mut visit: impl FnMut(Object) -> bool) {
    // SAFETY: the dynamic linker's variable.
    walk_from(unsafe { DEBUG.first }.addr(), &mut visit);
}

/// The same from one of its entries on.
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

/// Copies memory that may not be there; how much of it is.
pub fn peek(address: usize, into: &mut [u8]) -> usize {
    // The end of a page may be the end of what is there; no more than two are touched.
    const PAGE: usize = 4096;
    let first = into.len().min(PAGE - address % PAGE);
    let parts = [
        iovec(address, first),
        iovec(address + first, into.len() - first),
    ];
    sys::peek(&parts, into).unwrap_or(0)
}

fn iovec(from: usize, length: usize) -> libc::iovec {
    libc::iovec {
        iov_base: ptr::with_exposed_provenance_mut(from),
        iov_len: length,
    }
}

impl Object {
    /// Whether it is this library.
    pub fn is_ours(&self) -> bool {
        ptr::eq(self.dynamic, &raw const OWN_DYNAMIC)
    }

    /// The distance between its addresses and those in its file.
    pub fn base(&self) -> usize {
        self.base
    }

    /// The dynamic linker's name of it; empty for the program itself.
    pub fn name(&self) -> &'static CStr {
        if self.name.is_null() {
            return c"";
        }
        // SAFETY: a C string, for as long as the object is loaded.
        unsafe { CStr::from_ptr(self.name) }
    }

    /// Its segments; none where its file's head is not mapped where its addresses begin.
    pub fn segments(&self) -> Option<&'static [libc::Elf64_Phdr]> {
        const HEAD: usize = size_of::<libc::Elf64_Ehdr>();
        // A program with fixed addresses has them from 0 on, where nothing is.
        if self.base == 0 {
            return None;
        }
        let mut head = [0; HEAD];
        match sys::peek(&[iovec(self.base, HEAD)], &mut head) {
            Some(HEAD) => {}
            Some(_) => return None,
            // Sandboxes and emulators may not let a process copy its own memory so.
            None => {
                let place = ptr::with_exposed_provenance::<[u8; HEAD]>(self.base);
                if !sys::is_readable(place.cast(), HEAD) {
                    return None;
                }
                // SAFETY: it can be read, and stays while the object is loaded.
                head = unsafe { place.read() };
            }
        }
        if !head.starts_with(b"\x7fELF") {
            return None;
        }
        // SAFETY: as many bytes, and any are a head.
        let head: libc::Elf64_Ehdr =
            unsafe { head.as_ptr().cast::<libc::Elf64_Ehdr>().read_unaligned() };
        let at = self.base + head.e_phoff as usize;
        // SAFETY: the linker puts the table behind the head, in the same segment, which stays while the object is loaded.
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
            // SAFETY: the dynamic section of a loaded object, whose last entry has the tag 0.
            let entry = unsafe { at.read() };
            // SAFETY: this was not the last one, where the next is looked at.
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
