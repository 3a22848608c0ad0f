//! What a forked child inherits: its parent's region, until it has one of its own, and the numbers of live bytes and
//! blocks.

use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};

use weir_record::region::Header;

use crate::process::children;
use crate::thread::Live;

/// The parent's region, in a forked child that has no region of its own yet.
static PARENTS: AtomicPtr<Header> = AtomicPtr::new(ptr::null_mut());
/// Whether this process is a forked child of an image that had started.
static IS_FORKED: AtomicBool = AtomicBool::new(false);
static BYTES: AtomicU64 = AtomicU64::new(0);
static BLOCKS: AtomicU64 = AtomicU64::new(0);

/// Called in a forked child. `live` is what was live in the parent before the fork.
pub fn begin(live: Live) {
    BYTES.store(live.bytes, Ordering::Relaxed);
    BLOCKS.store(live.blocks, Ordering::Relaxed);
    IS_FORKED.store(true, Ordering::Relaxed);
}

/// Whether this process is a forked child of an image that had started.
pub fn is_forked() -> bool {
    IS_FORKED.load(Ordering::Relaxed)
}

/// What was live when this image began.
pub fn live() -> Live {
    Live {
        bytes: BYTES.load(Ordering::Relaxed),
        blocks: BLOCKS.load(Ordering::Relaxed),
    }
}

/// Returns the parent's region, or NULL.
pub fn parents() -> *mut Header {
    PARENTS.load(Ordering::Relaxed)
}

/// Sets the parent's region.
pub fn set_parents(parents: *mut Header) {
    PARENTS.store(parents, Ordering::Relaxed);
}

/// Returns the parent's region, or NULL, and forgets it: the caller makes a region of its own, or ends.
pub fn take_parents() -> *mut Header {
    PARENTS.swap(ptr::null_mut(), Ordering::Relaxed)
}

/// Called when the process will not count in its parent's region.
pub fn leave(parents: *mut Header) {
    // SAFETY: NULL, or the header of the parent's region, which is still mapped.
    if let Some(header) = unsafe { parents.as_ref() } {
        children::leave(header);
    }
}
