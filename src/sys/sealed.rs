//! Whether the process has given up the right to make every system call: a seccomp filter, or strict mode.

use std::sync::atomic::{AtomicBool, Ordering};

static IS_SEALED: AtomicBool = AtomicBool::new(false);

/// Whether the process has sealed itself: no system call may be made that it would not make itself.
#[inline(always)]
pub fn is_sealed() -> bool {
    IS_SEALED.load(Ordering::Relaxed)
}

/// Sets whether it has.
pub fn set_sealed(is_sealed: bool) {
    IS_SEALED.store(is_sealed, Ordering::Relaxed);
}
