//! The region that this process counts in, and which process the calling one is.
//!
//! A forked child may be unable to make a region file: it has another root directory or another user, or has sealed
//! itself. Such a child stays in its parent's region, which is shared memory. Its threads take slots of their own
//! there, its files are counted together, and the header has the number of such children.

use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use weir_record::region::{Header, Region};

use super::vfork;
use crate::sys;

static HEADER: AtomicPtr<Header> = AtomicPtr::new(ptr::null_mut());
/// The id of the process that counts in its parent's region because it could not make one; 0 if it has a region of
/// its own.
static SHARER: AtomicU32 = AtomicU32::new(0);
static GENERATION: AtomicU32 = AtomicU32::new(0);
/// The id of the process, in a forked child that a hook has seen; else 0.
static FORKED: AtomicU32 = AtomicU32::new(0);
/// Stands for the id of a sharer that may not ask for its process id.
pub const NAMELESS: u32 = u32::MAX;

/// The header of the region. `None` if there is no region.
pub fn header() -> Option<&'static Header> {
    // SAFETY: NULL, or the header of a region that stays mapped.
    unsafe { HEADER.load(Ordering::Acquire).as_ref() }
}

/// Sets the region that this process counts in. `sharer` is `None` for its own region; for another's, it is the id of
/// this process.
pub fn set_header(header: *mut Header, sharer: Option<u32>) {
    SHARER.store(sharer.unwrap_or(0), Ordering::Relaxed);
    HEADER.store(header, Ordering::Release);
}

/// Forgets the region in a child of fork, and returns its header; NULL if there was none. From here on the child is of another
/// [`generation`].
pub fn forget_header() -> *mut Header {
    GENERATION.fetch_add(1, Ordering::Relaxed);
    let process = sys::allowed().map_or(0, |_allowed| sys::pid());
    FORKED.store(process, Ordering::Relaxed);
    HEADER.swap(ptr::null_mut(), Ordering::Relaxed)
}

/// The number of forks from the first image to this process. It lets code know in whose middle a signal handler has forked and returned in
/// the child that it is in another image now.
pub fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// The id of the process whose memory this is, `caller` being the calling process's. They differ in a child of vfork; and only a forked
/// child can have one before its first call is seen: a signal handler has forked in the middle of vfork.
pub fn owner_of_memory(caller: u32) -> u32 {
    match FORKED.load(Ordering::Relaxed) {
        0 => caller,
        process => process,
    }
}

/// The region that describes this process. `None` if there is none, or the process shares another's.
pub fn region() -> Option<Region<'static>> {
    if is_sharer() { None } else { mapped_region() }
}

/// The region that this process counts in. `None` if there is none.
pub fn mapped_region() -> Option<Region<'static>> {
    region_at(HEADER.load(Ordering::Acquire))
}

/// Whether the process counts in another process's region.
pub fn is_sharer() -> bool {
    SHARER.load(Ordering::Relaxed) != 0
}

/// The region with this header. `None` for NULL.
pub fn region_at(header: *mut Header) -> Option<Region<'static>> {
    // SAFETY: NULL, or the header of a region that stays mapped and has the size that the header says. Only the parts
    // of it that are in use are read.
    unsafe { Region::from_memory(header.cast(), header.as_ref()?.length()) }.ok()
}

/// The relation of the calling process to the region.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The process that the region describes.
    Region,
    /// A process that shares the region.
    Sharer,
    /// A child of vfork, in the memory of one of these.
    Vfork,
}

/// The id of the process that counts in a region here, and its relation to that region.
fn process_of(header: &Header) -> (u32, Whose) {
    match SHARER.load(Ordering::Relaxed) {
        0 => (header.pid.load(Ordering::Relaxed), Whose::Region),
        sharer => (sharer, Whose::Sharer),
    }
}

/// The relation of the calling process to the region. A sealed process may not ask for its id, so a child of vfork is
/// taken for its parent there.
pub fn whose(header: &Header) -> Whose {
    let (process, is) = process_of(header);
    match sys::allowed() {
        Some(_allowed) if process != sys::pid() => Whose::Vfork,
        _ => is,
    }
}

/// The calling process's id, if it is known without a system call. It is not known if the caller may be a child of vfork, or if it
/// is a sharer that may not ask.
pub fn known_pid(header: &Header) -> Option<u32> {
    let (process, _) = process_of(header);
    (process != NAMELESS && !vfork::is_any_under_way()).then_some(process)
}

/// Whether the calling process is a child of vfork, in memory that is not its own.
pub fn is_vfork_child() -> bool {
    header().is_some_and(|header| whose(header) == Whose::Vfork)
}
