//! Children of vfork, who have our memory, but descriptors of their own: what they open and close is not open or closed
//! here, so they must leave what is known of descriptors as it is.

use std::sync::atomic::{AtomicU32, Ordering};

/// Children that have neither ended nor become another program, as far as is known: one that is killed stays among
/// them, and costs no more than the question of who is calling.
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
