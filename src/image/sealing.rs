//! A process that takes from itself the right to make any system call it likes.

use std::sync::atomic::{AtomicBool, Ordering};

use weir_record::region::Circumstance;

use super::{Whose, header, is_sharer, whose};
use crate::{slots, sys, writer};

static IS_SEALED: AtomicBool = AtomicBool::new(false);

/// Whether the process has taken from itself the right to make any system call it likes: none may be made
/// that it would not make itself.
pub fn is_sealed() -> bool {
    IS_SEALED.load(Ordering::Relaxed)
}

/// The process is about to take that right from itself. False where it had done so before, or it is a child of
/// vfork, which seals nothing but itself.
pub fn seal() -> bool {
    let Some(header) = header() else { return false };
    if is_sealed() || whose(header) == Whose::Vfork {
        return false;
    }
    sys::with_errno_kept(|| {
        header.note(Circumstance::Sealed);
        if !is_sharer() {
            header.latest.set(sys::now());
        }
        slots::complete_rings();
        writer::stop();
    });
    IS_SEALED.store(true, Ordering::Relaxed);
    true
}

/// It was not to be.
pub fn unseal() {
    IS_SEALED.store(false, Ordering::Relaxed);
    let Some(header) = header() else { return };
    sys::with_errno_kept(|| {
        header.forget(Circumstance::Sealed);
        writer::start_again();
    });
}
