//! Which entry of the table of files a descriptor leads to.
//!
//! An array in two levels, of atomics: a hook looks a descriptor up in two loads. It is private memory, so
//! that a forked child inherits it with the descriptors.

use std::ffi::c_int;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use crate::sys::Memory;

/// Nothing is known of the descriptor.
pub const UNKNOWN: u32 = 0;
/// The descriptor is told with all others that have no entry of their own.
pub const TOLD_TOGETHER: u32 = u32::MAX;

/// Descriptors of a page.
const PAGE: usize = 1024;
/// Pages: as many as for the highest limit on descriptors that a kernel has by itself (fs.nr_open).
const PAGES: usize = 1024;

type Page = [AtomicU32; PAGE];

/// Most programs have no descriptor beyond.
static FIRST: Page = [const { AtomicU32::new(UNKNOWN) }; PAGE];
static OTHERS: [AtomicPtr<Page>; PAGES] = [const { AtomicPtr::new(ptr::null_mut()) }; PAGES];

#[inline(always)]
fn place(fd: c_int) -> Option<&'static AtomicU32> {
    let fd = usize::try_from(fd).ok()?;
    if fd < PAGE {
        return Some(&FIRST[fd]);
    }
    place_beyond(fd)
}

#[cold]
#[inline(never)]
fn place_beyond(fd: usize) -> Option<&'static AtomicU32> {
    let page = OTHERS.get(fd / PAGE)?.load(Ordering::Acquire);
    // SAFETY: NULL, or a page that `make` put there for ever.
    unsafe { page.as_ref() }.map(|page| &page[fd % PAGE])
}

/// What a descriptor leads to.
#[inline(always)]
pub fn get(fd: c_int) -> u32 {
    place(fd).map_or(UNKNOWN, |place| place.load(Ordering::Relaxed))
}

/// Sets what a descriptor leads to, and tells what it led to. None where there is no room for it.
pub fn set(fd: c_int, link: u32) -> Option<u32> {
    if place(fd).is_none() && link != UNKNOWN {
        make(fd);
    }
    place(fd).map(|place| place.swap(link, Ordering::Relaxed))
}

#[cold]
fn make(fd: c_int) {
    let place = usize::try_from(fd)
        .ok()
        .and_then(|fd| OTHERS.get(fd / PAGE));
    let (Some(place), Some(memory)) = (place, Memory::new(size_of::<Page>())) else {
        return;
    };
    let page = memory.start().cast();
    let free = ptr::null_mut();
    let set = place.compare_exchange(free, page, Ordering::Release, Ordering::Relaxed);
    if set.is_ok() {
        // It stays for as long as the process.
        std::mem::forget(memory);
    }
}

/// Every descriptor from `first` to `last` of which anything is known.
pub fn known(first: u32, last: u32) -> impl Iterator<Item = c_int> {
    let (first, last) = (first as usize, (last as usize).min(PAGE * PAGES - 1));
    (first / PAGE..=last / PAGE)
        .filter(|&page| page == 0 || !OTHERS[page].load(Ordering::Relaxed).is_null())
        .flat_map(|page| page * PAGE..(page + 1) * PAGE)
        .filter(move |fd| (first..=last).contains(fd))
        .filter_map(|fd| c_int::try_from(fd).ok())
        .filter(|&fd| get(fd) != UNKNOWN)
}
