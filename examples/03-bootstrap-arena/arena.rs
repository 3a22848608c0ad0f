//! Memory for the moments before the real allocator is known.

use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

const BYTES: usize = 4096;
const ALIGN: usize = 16;

/// A piece of the library's own data, handed out from its front. Nothing is ever handed out twice,
/// so that every block is zero, as `calloc` promises, and a stray pointer can't hurt another.
#[repr(C, align(16))]
pub struct Arena {
    bytes: UnsafeCell<[u8; BYTES]>,
    used: AtomicUsize,
}

// SAFETY: `used` gives every caller a range of its own, and the arena itself writes only there.
unsafe impl Sync for Arena {}

impl Arena {
    /// An arena with nothing handed out.
    pub const fn new() -> Self {
        Self {
            bytes: UnsafeCell::new([0; BYTES]),
            used: AtomicUsize::new(0),
        }
    }

    /// A zeroed block of `size` bytes, aligned as malloc's are; null when the arena is full.
    pub fn alloc(&self, size: usize) -> *mut c_void {
        // The size is kept before the block: realloc must know how much to copy. A block of no bytes
        // gets some all the same, or its pointer could be one past the arena's end.
        let Some(whole) = size
            .max(1)
            .checked_next_multiple_of(ALIGN)
            .and_then(|size| size.checked_add(ALIGN))
        else {
            return ptr::null_mut();
        };
        let fits = |used: usize| used.checked_add(whole).filter(|&end| end <= BYTES);
        let Ok(start) = self
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits)
        else {
            return ptr::null_mut();
        };
        // SAFETY: `start..start + whole` is inside the arena, aligned, and ours alone.
        unsafe {
            let head = self.bytes.get().cast::<u8>().add(start);
            head.cast::<usize>().write(size);
            head.add(ALIGN).cast()
        }
    }

    /// Did the pointer come from here? To be asked for ever: it may be freed at any time later.
    pub fn owns(&self, pointer: *mut c_void) -> bool {
        let start = self.bytes.get() as usize;
        (start..start + BYTES).contains(&(pointer as usize))
    }

    /// The size that a block was asked for with.
    ///
    /// # Safety
    /// `block` came from this arena's `alloc`.
    pub unsafe fn size(&self, block: *mut c_void) -> usize {
        // SAFETY: `alloc` wrote the size this far before the block, and nobody else writes there.
        unsafe { block.cast::<u8>().sub(ALIGN).cast::<usize>().read() }
    }
}
