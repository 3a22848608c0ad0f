//! Which entry of the table of files a descriptor leads to.

use std::ffi::c_int;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::files::descriptors::{Descriptors, PAGE};

/// The descriptor is not known.
pub const UNKNOWN: u32 = 0;
/// The descriptor has no entry of its own: it is counted together with all others that have none.
pub const OVERFLOW_ENTRY: u32 = u32::MAX;

static LINKS: Descriptors<AtomicU32> = Descriptors::new([const { AtomicU32::new(UNKNOWN) }; PAGE]);

/// The entry that a descriptor leads to.
#[inline(always)]
pub fn get(fd: c_int) -> u32 {
    LINKS
        .get(fd)
        .map_or(UNKNOWN, |place| place.load(Ordering::Relaxed))
}

/// Sets a descriptor's entry and returns the previous one. `None` if there is no memory for it.
pub fn set(fd: c_int, link: u32) -> Option<u32> {
    let place = if link == UNKNOWN {
        LINKS.get(fd)
    } else {
        LINKS.get_or_make(fd)
    };
    place.map(|place| place.swap(link, Ordering::Relaxed))
}

/// All known descriptors from `first` to `last`.
pub fn known(first: u32, last: u32) -> impl Iterator<Item = c_int> {
    LINKS.within(first, last).filter(|&fd| get(fd) != UNKNOWN)
}
