//! The library's own heap, apart from the program's.
//!
//! It is Doug Lea's malloc over the kernel's mmap. The writer's allocations never pass through the `malloc` that we
//! interpose, nor through the program's `mmap`. So the program's heap is as it would be without us.
//!
//! If the kernel gives no memory, there is a [`reserve`]. If that is used up, the work that needs the memory is given
//! up.
//!
//! The lock is our own. A forked child neither waits for it nor repairs what another thread was changing: it begins a
//! new heap. It needs nothing of the old one.

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

// SAFETY: only the holder of the lock uses the heap.
unsafe impl Sync for OwnHeap {}

#[global_allocator]
static HEAP: OwnHeap = OwnHeap {
    is_locked: AtomicBool::new(false),
    heap: UnsafeCell::new(Dlmalloc::new_with_allocator(Kernel)),
};

static USED: AtomicUsize = AtomicUsize::new(0);
static MOST_USED: AtomicUsize = AtomicUsize::new(0);

/// The largest number of bytes that were allocated at the same time.
pub fn peak_bytes() -> usize {
    MOST_USED.load(Ordering::Relaxed)
}

/// Begins a new heap in a child of fork, whatever another thread of the parent was doing with the old one.
pub fn forked() {
    // SAFETY: the child has one thread. It is not inside the heap, because signals are blocked there.
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
        // SAFETY: we hold the lock. Only threads that work for Weir take it, with signals blocked. So no signal
        // handler can leave one of them inside the heap.
        let result = work(unsafe { &mut *self.heap.get() });
        self.is_locked.store(false, Ordering::Release);
        result
    }
}

/// Returns a new block. If it is NULL, Rust would end the process, so this gives up the current attempt instead.
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

// SAFETY: every call goes to dlmalloc unchanged, one at a time; the counters do not affect it.
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

// SAFETY: every block consists of whole pages that the kernel has mapped readable and writable.
unsafe impl Allocator for Kernel {
    fn alloc(&self, size: usize) -> (*mut u8, usize, u32) {
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping, wherever the kernel has room, affects nothing else.
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
        // SAFETY: a mapping of this heap, which uses only the new address from now on.
        let moved = unsafe { rustix::mm::mremap(start.cast::<c_void>(), old, new, flags) };
        moved.map_or(ptr::null_mut(), <*mut c_void>::cast)
    }

    fn free_part(&self, start: *mut u8, old: usize, new: usize) -> bool {
        // SAFETY: the end of a mapping of this heap, which the heap no longer uses.
        unsafe { rustix::mm::munmap(start.add(new).cast(), old - new) }.is_ok()
    }

    fn free(&self, start: *mut u8, size: usize) -> bool {
        // SAFETY: a mapping of this heap, which the heap no longer uses.
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
