//! The library's own heap, apart from the program's.
//!
//! Doug Lea's malloc over `mmap`: what the writer allocates never passes through the `malloc` that we
//! interpose, so that the program's heap is as it would be without us.

use std::alloc::{GlobalAlloc, Layout};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use dlmalloc::GlobalDlmalloc;

struct OwnHeap;

#[global_allocator]
static HEAP: OwnHeap = OwnHeap;

static USED: AtomicUsize = AtomicUsize::new(0);
static MOST_USED: AtomicUsize = AtomicUsize::new(0);

/// The most bytes that were allocated at once.
pub fn peak_bytes() -> usize {
    MOST_USED.load(Ordering::Relaxed)
}

// SAFETY: every call is passed on to dlmalloc as it is; the counters change nothing of it.
unsafe impl GlobalAlloc for OwnHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let used = USED
            .fetch_add(layout.size(), Ordering::Relaxed)
            .wrapping_add(layout.size());
        MOST_USED.fetch_max(used, Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { GlobalDlmalloc.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        USED.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { GlobalDlmalloc.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let grown = size.wrapping_sub(layout.size());
        let used = USED.fetch_add(grown, Ordering::Relaxed).wrapping_add(grown);
        MOST_USED.fetch_max(used, Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { GlobalDlmalloc.realloc(block, layout, size) }
    }
}

/// Makes the heap's lock right again in a forked child, whichever thread held it. Once per process.
pub fn survive_fork() {
    static DONE: AtomicBool = AtomicBool::new(false);
    if !DONE.swap(true, Ordering::Relaxed) {
        // SAFETY: called once, from the start of the first image; it registers fork handlers that
        // take and release the heap's lock and do nothing else.
        unsafe { dlmalloc::enable_alloc_after_fork() }
    }
}
