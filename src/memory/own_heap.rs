//! The library's own heap, apart from the program's.
//!
//! Doug Lea's malloc over memory of the kernel's: what the writer allocates never passes through the `malloc` that we
//! interpose, nor through an `mmap` of the program's, so that the program's heap is as it would be without us.
//!
//! Where the kernel gives no memory there is a [`reserve`]; where that is used up, the work that the memory is for is given up.
//!
//! Its lock is our own, and a forked child neither waits for it nor mends what another thread was doing: the child begins a
//! new heap. Nothing of the old one is needed there.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use dlmalloc::{Allocator, Dlmalloc};
use rustix::mm::{MapFlags, MremapFlags, ProtFlags};

use crate::memory::giving_up::{self, Reason};
use crate::memory::reserve;
use crate::sys;

struct OwnHeap {
    is_locked: AtomicBool,
    heap: UnsafeCell<Dlmalloc<Kernel>>,
}

// SAFETY: whoever looks at the heap holds the lock.
unsafe impl Sync for OwnHeap {}

#[global_allocator]
static HEAP: OwnHeap = OwnHeap {
    is_locked: AtomicBool::new(false),
    heap: UnsafeCell::new(Dlmalloc::new_with_allocator(Kernel)),
};

static USED: AtomicUsize = AtomicUsize::new(0);
static MOST_USED: AtomicUsize = AtomicUsize::new(0);

/// The most bytes that were allocated at once.
pub fn peak_bytes() -> usize {
    MOST_USED.load(Ordering::Relaxed)
}

/// In a child of fork: a new heap, whatever another thread of the parent was doing with the old one.
pub fn forked() {
    // SAFETY: the child has one thread, which is not in the heap: signals are blocked there.
    unsafe { HEAP.heap.get().write(Dlmalloc::new_with_allocator(Kernel)) };
    USED.store(0, Ordering::Relaxed);
    MOST_USED.store(0, Ordering::Relaxed);
    HEAP.is_locked.store(false, Ordering::Release);
    reserve::forked();
}

impl OwnHeap {
    fn with<T>(&self, work: impl FnOnce(&mut Dlmalloc<Kernel>) -> T) -> T {
        while self.is_locked.swap(true, Ordering::Acquire) {
            rustix::thread::sched_yield();
        }
        // SAFETY: we hold the lock. It is taken by threads that work for Weir, whose signals are blocked: none of them is
        // left in the middle by a handler.
        let result = work(unsafe { &mut *self.heap.get() });
        self.is_locked.store(false, Ordering::Release);
        result
    }
}

/// A block that was asked for. Where there is no memory for it, Rust would end the process: what is attempted is given up instead.
fn or_give_up(block: *mut u8) -> *mut u8 {
    if block.is_null() {
        giving_up::give_up(Reason::Memory);
    }
    block
}

fn note_more(bytes: usize) {
    let used = USED.fetch_add(bytes, Ordering::Relaxed).wrapping_add(bytes);
    MOST_USED.fetch_max(used, Ordering::Relaxed);
}

// SAFETY: every call is passed on to dlmalloc as it is, one at a time; the counters change nothing of it.
unsafe impl GlobalAlloc for OwnHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note_more(layout.size());
        // SAFETY: as the caller promises.
        or_give_up(self.with(|heap| unsafe { heap.malloc(layout.size(), layout.align()) }))
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note_more(layout.size());
        // SAFETY: as the caller promises.
        or_give_up(self.with(|heap| unsafe { heap.calloc(layout.size(), layout.align()) }))
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        USED.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promises.
        self.with(|heap| unsafe { heap.free(block, layout.size(), layout.align()) });
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note_more(size.wrapping_sub(layout.size()));
        // SAFETY: as the caller promises.
        or_give_up(
            self.with(|heap| unsafe { heap.realloc(block, layout.size(), layout.align(), size) }),
        )
    }
}

/// Memory of the kernel's.
struct Kernel;

// SAFETY: every answer is the kernel's, of whole pages that are mapped readable and writable.
unsafe impl Allocator for Kernel {
    fn alloc(&self, size: usize) -> (*mut u8, usize, u32) {
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping, wherever the kernel has room, harms nobody.
        let start = unsafe {
            rustix::mm::mmap_anonymous(ptr::null_mut(), size, protection, MapFlags::PRIVATE)
        };
        match start {
            Ok(start) => (start.cast(), size, 0),
            Err(_) => match reserve::take(size) {
                start if start.is_null() => (start, 0, 0),
                start => (start, size, 0),
            },
        }
    }

    fn remap(&self, start: *mut u8, old: usize, new: usize, may_move: bool) -> *mut u8 {
        let flags = if may_move {
            MremapFlags::MAYMOVE
        } else {
            MremapFlags::empty()
        };
        // SAFETY: a mapping of this heap, which knows where it is from now on.
        let moved = unsafe { rustix::mm::mremap(start.cast::<c_void>(), old, new, flags) };
        moved.map_or(ptr::null_mut(), <*mut c_void>::cast)
    }

    fn free_part(&self, start: *mut u8, old: usize, new: usize) -> bool {
        // SAFETY: the end of a mapping of this heap, which has nothing there any more.
        unsafe { rustix::mm::munmap(start.add(new).cast(), old - new) }.is_ok()
    }

    fn free(&self, start: *mut u8, size: usize) -> bool {
        // SAFETY: a mapping of this heap, which has nothing there any more.
        unsafe { rustix::mm::munmap(start.cast(), size) }.is_ok()
    }

    fn can_release_part(&self, _: u32) -> bool {
        true
    }

    fn allocates_zeros(&self) -> bool {
        true
    }

    fn page_size(&self) -> usize {
        sys::page_bytes()
    }
}
