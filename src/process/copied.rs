//! Whether this memory is a copy of another process's, in a child that no hook has seen yet.
//!
//! The kernel empties one page in every child that has memory of its own, in whatever way the child was made
//! (`MADV_WIPEONFORK`, Linux 4.14). A child that shares our memory, such as a child of vfork, finds the page
//! unchanged. So a hook does not need to ask for the process id. A child of a bare system call, which no hook sees,
//! does not use its parent's slot.

use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustix::mm::Advice;

use crate::arch::{self, LARGEST_PAGE, PageAligned};

const BYTES: usize = LARGEST_PAGE;
const WORDS: usize = BYTES / size_of::<usize>();

/// A page of our own. It has the size of the largest possible page.
type Page = PageAligned<[AtomicUsize; WORDS]>;
const _: () = assert!(size_of::<Page>() == BYTES);

/// The page. In the process that owns the memory, all bits of its first word are set. In a copy that no hook has seen
/// yet, none is set.
pub static PAGE: Page = PageAligned([const { AtomicUsize::new(0) }; WORDS]);

/// Whether the kernel empties the page.
static IS_WIPED: AtomicBool = AtomicBool::new(false);

/// Asks the kernel to empty the page in children. Called once, when the first image starts.
pub fn begin() {
    // An advice that no kernel knows. An emulator (qemu-user) accepts every advice, and follows few.
    const NO_ADVICE: usize = 0x7fff_ffff;
    let page = ptr::from_ref(&PAGE).cast_mut().cast();
    let nonsense = [ptr::from_ref(&PAGE).addr(), BYTES, NO_ADVICE, 0, 0];
    // SAFETY: the kernel knows no such advice, so the call changes nothing.
    let is_believable = unsafe { arch::system_call(libc::SYS_madvise, nonsense) } != 0;
    // SAFETY: the page belongs to the library, in private memory without a file. The advice does not change the page
    // in this process.
    let asked = unsafe { rustix::mm::madvise(page, BYTES, Advice::LinuxWipeOnFork) };
    IS_WIPED.store(asked.is_ok() && is_believable, Ordering::Relaxed);
    settle();
}

/// Marks this memory as this process's own.
pub fn settle() {
    PAGE.0[0].store(usize::MAX, Ordering::Relaxed);
}

/// Whether this memory is a copy. `None` if that is not known.
pub fn is_copy() -> Option<bool> {
    let is_wiped = IS_WIPED.load(Ordering::Relaxed);
    is_wiped.then(|| PAGE.0[0].load(Ordering::Relaxed) == 0)
}
