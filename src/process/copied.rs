//! Whether this memory is a copy of another process's, whose child nobody has told so yet.
//!
//! The kernel empties one page in every child that has memory of its own (`MADV_WIPEONFORK`, Linux 4.14), however that was
//! made; one that shares our memory, as a child of vfork does, finds it as it was. So no process has to ask who it is, and
//! a child of a bare system call, of which no hook hears, shows no slot of its parent's.

use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustix::mm::Advice;

const BYTES: usize = 4096;
const WORDS: usize = BYTES / size_of::<usize>();

/// A page of our own.
#[repr(C, align(4096))]
pub struct Page([AtomicUsize; WORDS]);
const _: () = assert!(size_of::<Page>() == BYTES);

/// The page. Its first word has all bits in the process that the memory belongs to, and none in a copy that nobody has told.
pub static PAGE: Page = Page([const { AtomicUsize::new(0) }; WORDS]);

/// Whether the kernel empties it.
static IS_WIPED: AtomicBool = AtomicBool::new(false);

/// Asks for that. Once, when the first image starts.
pub fn begin() {
    let page = ptr::from_ref(&PAGE).cast_mut().cast();
    // SAFETY: the page is the library's own, in memory that has no file behind it; here, nothing of it changes.
    let asked = unsafe { rustix::mm::madvise(page, BYTES, Advice::LinuxWipeOnFork) };
    IS_WIPED.store(asked.is_ok(), Ordering::Relaxed);
    settle();
}

/// This memory is its process's own from now on.
pub fn settle() {
    PAGE.0[0].store(usize::MAX, Ordering::Relaxed);
}

/// Whether it is a copy; none where that cannot be told.
pub fn is_copy() -> Option<bool> {
    let is_wiped = IS_WIPED.load(Ordering::Relaxed);
    is_wiped.then(|| PAGE.0[0].load(Ordering::Relaxed) == 0)
}
