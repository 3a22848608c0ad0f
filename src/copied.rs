//! Whether this memory is a copy of another process's, whose child nobody has told so yet.
//!
//! The kernel empties one page in every child that has memory of its own (`MADV_WIPEONFORK`, Linux 4.14), however that was
//! made; one that shares our memory, as a child of vfork does, finds it as it was. So no process has to ask who it is.

use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use rustix::mm::{Advice, MapFlags, ProtFlags};

/// The page; NULL where the kernel does not do that.
static PAGE: AtomicPtr<AtomicU32> = AtomicPtr::new(ptr::null_mut());
const BYTES: usize = 4096;

/// Makes the page. Once, when the first image starts.
pub fn begin() {
    let protection = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a new mapping, wherever the kernel has room, harms nobody.
    let page = unsafe {
        rustix::mm::mmap_anonymous(ptr::null_mut(), BYTES, protection, MapFlags::PRIVATE)
    };
    let Ok(page) = page else { return };
    // SAFETY: the page is ours.
    if unsafe { rustix::mm::madvise(page, BYTES, Advice::LinuxWipeOnFork) }.is_err() {
        // SAFETY: nobody has it.
        let _ = unsafe { rustix::mm::munmap(page, BYTES) };
        return;
    }
    PAGE.store(page.cast(), Ordering::Relaxed);
    settle();
}

fn page() -> Option<&'static AtomicU32> {
    // SAFETY: NULL, or the page, which stays.
    unsafe { PAGE.load(Ordering::Relaxed).as_ref() }
}

/// This memory is its process's own from now on.
pub fn settle() {
    if let Some(page) = page() {
        page.store(1, Ordering::Relaxed);
    }
}

/// Whether it is a copy; none where that cannot be told.
pub fn is_copy() -> Option<bool> {
    page().map(|page| page.load(Ordering::Relaxed) == 0)
}
