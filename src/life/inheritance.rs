//! What a forked child has of its parent: the region, until it has one of its own, and what was live.

use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};

use weir_record::region::Header;

use crate::process::children;
use crate::thread::Live;

/// The parent's region, in a child of fork that has none yet.
static PARENTS: AtomicPtr<Header> = AtomicPtr::new(ptr::null_mut());
/// Whether this process began by fork, in an image that had begun before.
static IS_FORKED: AtomicBool = AtomicBool::new(false);
static BYTES: AtomicU64 = AtomicU64::new(0);
static BLOCKS: AtomicU64 = AtomicU64::new(0);

/// In a child of fork: this was live when it was made.
pub fn begin(live: Live) {
    BYTES.store(live.bytes, Ordering::Relaxed);
    BLOCKS.store(live.blocks, Ordering::Relaxed);
    IS_FORKED.store(true, Ordering::Relaxed);
}

/// Whether this process began by fork, in an image that had begun before.
pub fn is_forked() -> bool {
    IS_FORKED.load(Ordering::Relaxed)
}

/// What was live where this image began.
pub fn live() -> Live {
    Live {
        bytes: BYTES.load(Ordering::Relaxed),
        blocks: BLOCKS.load(Ordering::Relaxed),
    }
}

/// The parent's region, or NULL.
pub fn parents() -> *mut Header {
    PARENTS.load(Ordering::Relaxed)
}

/// Sets the parent's region.
pub fn set_parents(parents: *mut Header) {
    PARENTS.store(parents, Ordering::Relaxed);
}

/// The parent's region, or NULL, for who makes one in its place, or ends.
pub fn take_parents() -> *mut Header {
    PARENTS.swap(ptr::null_mut(), Ordering::Relaxed)
}

/// The process will not count in its parent's region.
pub fn leave(parents: *mut Header) {
    // SAFETY: NULL, or the header of the parent's region, which is still mapped.
    if let Some(header) = unsafe { parents.as_ref() } {
        children::leave(header);
    }
}
