//! Children of vfork have our memory, but their own descriptors: what they open and close is not opened or closed
//! here, so they must not change what is known of descriptors.

use std::sync::atomic::{AtomicU32, Ordering};

/// Children that have neither ended nor become another program, as far as is known: a killed one remains
/// in the count, which costs only a check of the calling process.
static UNDER_WAY: AtomicU32 = AtomicU32::new(0);

/// A child is about to be made; or one that was to become another program has not.
pub fn begin() {
    UNDER_WAY.fetch_add(1, Ordering::Relaxed);
}

/// A child ends, or becomes another program.
pub fn end() {
    // One that was made by a system call has not begun.
    let one_less = |count: u32| count.checked_sub(1);
    let _ = UNDER_WAY.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less);
}

/// In a child of fork there is none.
pub fn forked() {
    UNDER_WAY.store(0, Ordering::Relaxed);
}

/// Whether the caller is one.
#[inline(always)]
pub fn is_child() -> bool {
    UNDER_WAY.load(Ordering::Relaxed) != 0 && super::is_vfork_child()
}
