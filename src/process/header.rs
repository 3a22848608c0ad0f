//! The region that this process counts in, and whose the calling process is.
//!
//! A forked child that can make no region file (it is in another root, or another user, or has sealed itself)
//! stays in its parent's region, which is shared memory: its threads take slots of their own there, its files
//! are counted together, and the header has the number of such children.

use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use weir_record::region::{Header, Region};

use crate::sys;

static HEADER: AtomicPtr<Header> = AtomicPtr::new(ptr::null_mut());
/// The process that counts in its parent's region, because it could make none; 0 where it has its own.
static SHARER: AtomicU32 = AtomicU32::new(0);
/// A sharer that may not ask for its process id.
pub const NAMELESS: u32 = u32::MAX;

/// The region's header, where there is one.
pub fn header() -> Option<&'static Header> {
    // SAFETY: NULL, or the header of a region that stays mapped.
    unsafe { HEADER.load(Ordering::Acquire).as_ref() }
}

/// From now on this region is counted in: the process's own, or that of another, which `sharer` counts in.
pub fn set_header(header: *mut Header, sharer: Option<u32>) {
    SHARER.store(sharer.unwrap_or(0), Ordering::Relaxed);
    HEADER.store(header, Ordering::Release);
}

/// From now on there is none; what there was, or NULL.
pub fn forget_header() -> *mut Header {
    HEADER.swap(ptr::null_mut(), Ordering::Relaxed)
}

/// The region, where there is one and it describes this process.
pub fn region() -> Option<Region<'static>> {
    if is_sharer() { None } else { mapped_region() }
}

/// The region that is counted in, where there is one.
pub fn mapped_region() -> Option<Region<'static>> {
    region_at(HEADER.load(Ordering::Acquire))
}

/// Whether the process counts in the region of another.
pub fn is_sharer() -> bool {
    SHARER.load(Ordering::Relaxed) != 0
}

/// The region with this header, or NULL.
pub fn region_at(header: *mut Header) -> Option<Region<'static>> {
    // SAFETY: NULL, or the header of a region that stays mapped, with as much room; only what is in use of it is
    // looked into.
    unsafe { Region::from_memory(header.cast(), header.as_ref()?.room().bytes()) }.ok()
}

/// Whose the calling process is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The one that the region describes.
    Region,
    /// One that shares the region.
    Sharer,
    /// A child of vfork, in the memory of one of these.
    Vfork,
}

/// The process that counts in a region here, and how.
fn process_of(header: &Header) -> (u32, Whose) {
    match SHARER.load(Ordering::Relaxed) {
        0 => (header.pid.load(Ordering::Relaxed), Whose::Region),
        sharer => (sharer, Whose::Sharer),
    }
}

/// A sealed process may not ask who it is: a child of vfork is taken for its parent there.
pub fn whose(header: &Header) -> Whose {
    let (process, is) = process_of(header);
    if sys::is_sealed() || process == sys::pid() {
        is
    } else {
        Whose::Vfork
    }
}

/// Whether the calling process is a child of vfork, in memory that is not its own.
pub fn is_vfork_child() -> bool {
    header().is_some_and(|header| whose(header) == Whose::Vfork)
}
