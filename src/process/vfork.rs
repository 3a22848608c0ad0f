//! Children of vfork share our memory, but have descriptors of their own. What they open and close does not change
//! this process's descriptors, so they must not change what is known of them.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// How many children have neither ended nor executed another program, as far as is known. A killed child stays in the
/// count. That costs only a check of the calling process.
static UNDER_WAY: AtomicU32 = AtomicU32::new(0);

/// Whether a child was made that shares our memory and its parent's thread area, and runs at the same time as its parent.
static MAY_RUN_BESIDE: AtomicBool = AtomicBool::new(false);

/// Counts a child that is about to be made, or one whose exec failed.
pub fn begin() {
    UNDER_WAY.fetch_add(1, Ordering::Relaxed);
}

/// Subtracts a child that ends or executes another program.
pub fn end() {
    // A child that was made by a bare system call was never counted.
    let one_less = |count: u32| count.checked_sub(1);
    let _ = UNDER_WAY.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less);
}

/// Notes that a child is about to be made that runs at the same time as its parent, with the same thread area.
pub fn begin_beside() {
    MAY_RUN_BESIDE.store(true, Ordering::Relaxed);
}

/// Whether such a child was ever made.
pub fn may_run_beside() -> bool {
    MAY_RUN_BESIDE.load(Ordering::Relaxed)
}

/// Forgets the children, in a child of fork.
pub fn forked() {
    UNDER_WAY.store(0, Ordering::Relaxed);
    MAY_RUN_BESIDE.store(false, Ordering::Relaxed);
}

/// Whether there may be such a child.
#[inline(always)]
pub fn is_any_under_way() -> bool {
    UNDER_WAY.load(Ordering::Relaxed) != 0
}

/// Whether the caller is such a child.
#[inline(always)]
pub fn is_child() -> bool {
    is_any_under_way() && super::is_vfork_child()
}
