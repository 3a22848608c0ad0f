//! Whether this memory is a copy of another process's, in a child that has not been noticed yet.
//!
//! The kernel empties one page in every child that has its own memory (`MADV_WIPEONFORK`, Linux 4.14), in whatever way it was
//! made. A child that shares our memory, such as a child of vfork, finds the page unchanged. So a process need not ask for its id,
//! and a child of a bare system call, which no hook sees, does not use the slot of its parent.

use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustix::mm::Advice;

use crate::arch::{self, LARGEST_PAGE, PageAligned};

const BYTES: usize = LARGEST_PAGE;
const WORDS: usize = BYTES / size_of::<usize>();

/// A page of our own, or as many as there are in the largest.
type Page = PageAligned<[AtomicUsize; WORDS]>;
const _: () = assert!(size_of::<Page>() == BYTES);

/// The page. Its first word has all bits in the process that the memory belongs to, and none in a copy that has not been noticed.
pub static PAGE: Page = PageAligned([const { AtomicUsize::new(0) }; WORDS]);

/// Whether the kernel empties it.
static IS_WIPED: AtomicBool = AtomicBool::new(false);

/// Asks for that. Once, when the first image starts.
pub fn begin() {
    // What no kernel knows. An emulator (qemu-user) says yes to all advice, and follows little of it.
    const NO_ADVICE: usize = 0x7fff_ffff;
    let page = ptr::from_ref(&PAGE).cast_mut().cast();
    let nonsense = [ptr::from_ref(&PAGE).addr(), BYTES, NO_ADVICE, 0, 0];
    // SAFETY: there is no such advice.
    let is_believable = unsafe { arch::system_call(libc::SYS_madvise, nonsense) } != 0;
    // SAFETY: the page is the library's own, in memory that has no file behind it; here, nothing of it changes.
    let asked = unsafe { rustix::mm::madvise(page, BYTES, Advice::LinuxWipeOnFork) };
    IS_WIPED.store(asked.is_ok() && is_believable, Ordering::Relaxed);
    settle();
}

/// This memory is its process's own from now on.
pub fn settle() {
    PAGE.0[0].store(usize::MAX, Ordering::Relaxed);
}

/// Whether it is a copy; none if that is not known.
pub fn is_copy() -> Option<bool> {
    let is_wiped = IS_WIPED.load(Ordering::Relaxed);
    is_wiped.then(|| PAGE.0[0].load(Ordering::Relaxed) == 0)
}
