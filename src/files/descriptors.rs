//! A table with a place for each descriptor.
//!
//! The table is an array in two levels, so a hook finds a place in two loads. It is private memory: a forked child
//! inherits it together with the descriptors.

use std::ffi::c_int;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use crate::sys::Memory;

/// Descriptors on a page.
pub const PAGE: usize = 1024;
/// Pages: enough for the kernel's default limit on the number of descriptors (fs.nr_open).
const PAGES: usize = 1024;

/// A value that can be in a table.
///
/// # Safety
/// All zeroes are a valid value of the type.
pub unsafe trait Place: Sync + 'static {}

// SAFETY: zeroes are the number 0.
unsafe impl Place for AtomicU32 {}

/// A table with a place for each descriptor.
pub struct Descriptors<P: Place> {
    /// Most programs use no descriptor beyond these.
    first: [P; PAGE],
    others: [AtomicPtr<[P; PAGE]>; PAGES],
}

impl<P: Place> Descriptors<P> {
    /// A table with its first page.
    pub const fn new(first: [P; PAGE]) -> Descriptors<P> {
        Descriptors {
            first,
            others: [const { AtomicPtr::new(ptr::null_mut()) }; PAGES],
        }
    }

    /// The place of a descriptor. `None` if the page with it does not exist.
    #[inline(always)]
    pub fn get(&self, fd: c_int) -> Option<&P> {
        let fd = usize::try_from(fd).ok()?;
        if fd < PAGE {
            return Some(&self.first[fd]);
        }
        self.get_beyond(fd)
    }

    #[cold]
    #[inline(never)]
    fn get_beyond(&self, fd: usize) -> Option<&P> {
        let page = self.others.get(fd / PAGE)?.load(Ordering::Acquire);
        // SAFETY: the pointer is NULL, or a page that `make` stored there. No page is ever unmapped.
        unsafe { page.as_ref() }.map(|page| &page[fd % PAGE])
    }

    /// The place of a descriptor. Makes the page if it does not exist. `None` if there is no memory for it.
    pub fn get_or_make(&self, fd: c_int) -> Option<&P> {
        if self.get(fd).is_none() {
            self.make(fd);
        }
        self.get(fd)
    }

    #[cold]
    fn make(&self, fd: c_int) {
        let place = usize::try_from(fd)
            .ok()
            .and_then(|fd| self.others.get(fd / PAGE));
        let (Some(place), Some(memory)) = (place, Memory::new(size_of::<[P; PAGE]>())) else {
            return;
        };
        let page = memory.start().cast();
        let free = ptr::null_mut();
        let set = place.compare_exchange(free, page, Ordering::Release, Ordering::Relaxed);
        if set.is_ok() {
            // The page stays until the process ends.
            std::mem::forget(memory);
        }
    }

    /// All descriptors from `first` to `last` that have a place.
    pub fn within(&self, first: u32, last: u32) -> impl Iterator<Item = c_int> {
        let (first, last) = (first as usize, (last as usize).min(PAGE * PAGES - 1));
        (first / PAGE..=last / PAGE)
            .filter(|&page| page == 0 || !self.others[page].load(Ordering::Relaxed).is_null())
            .flat_map(|page| page * PAGE..(page + 1) * PAGE)
            .filter(move |fd| (first..=last).contains(fd))
            .filter_map(|fd| c_int::try_from(fd).ok())
    }
}
