//! Whether the process has given up the right to make every system call: by a seccomp filter, or by strict mode.

use std::sync::atomic::{AtomicBool, Ordering};

static IS_SEALED: AtomicBool = AtomicBool::new(false);

/// Whether the process has sealed itself. Then Weir must not make a system call that the program would not make
/// itself.
#[inline(always)]
pub fn is_sealed() -> bool {
    IS_SEALED.load(Ordering::Relaxed)
}

/// Sets whether the process has sealed itself. What was prepared for that is visible to who sees it.
pub fn set_sealed(is_sealed: bool) {
    IS_SEALED.store(is_sealed, Ordering::Release);
}
