//! Children of fork start in the region of their parent: how many of them may still count in it.
//!
//! The parent counts a child before it forks. The child is subtracted when it has a region of its own, or ends. So
//! the reader of the region knows that a child may still count there, even if the parent has ended and the child has
//! not run yet.

use std::sync::atomic::{AtomicBool, Ordering};

use weir_record::region::Header;

/// Whether parents count their children here.
static ARE_ANNOUNCED: AtomicBool = AtomicBool::new(false);

/// Parents count their children from now on.
pub fn are_announced() {
    ARE_ANNOUNCED.store(true, Ordering::Relaxed);
}

/// Counts a child, which is about to be forked.
pub fn announce(header: &Header) {
    if ARE_ANNOUNCED.load(Ordering::Relaxed) {
        header.children.add_shared(1);
    }
}

/// Takes back the count of a child: the fork failed.
pub fn withdraw(header: &Header) {
    if ARE_ANNOUNCED.load(Ordering::Relaxed) {
        header.children.add_shared(1_u64.wrapping_neg());
    }
}

/// In the child: it will not count in this region any more.
pub fn leave(header: &Header) {
    if ARE_ANNOUNCED.load(Ordering::Relaxed) {
        header.children_gone.add_shared(1);
    }
}

/// In the child: it counts in this region again, because an exec failed.
pub fn return_to(header: &Header) {
    if ARE_ANNOUNCED.load(Ordering::Relaxed) {
        header.children_gone.add_shared(1_u64.wrapping_neg());
    }
}
