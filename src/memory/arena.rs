//! Memory for what the C library allocates while we call it.
//!
//! `dlsym` allocates on some paths: an error text, in older C libraries its per-thread buffer. And it is the function
//! that finds `malloc` in the first place. `pthread_create` allocates the new thread's table of thread-local storage.
//! Such a request comes from us, not from the program. So it gets memory of this arena, not of the program's heap.
//! Blocks are never reused. They are recognised until the process ends, because the C library may free them at any
//! time and from any thread.

use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::marked_blocks;

/// The size of the arena in bytes. Untouched pages cost nothing.
const SIZE: usize = 256 * 1024;
/// The alignment of each block in bytes, and the room before the block for its size.
const ALIGN: usize = 16;

#[repr(C, align(4096))]
struct Arena(UnsafeCell<[u8; SIZE]>);

// SAFETY: the atomic `USED` hands out each part once.
unsafe impl Sync for Arena {}

static ARENA: Arena = Arena(UnsafeCell::new([0; SIZE]));
static USED: AtomicUsize = AtomicUsize::new(0);

/// Whether a pointer is into the arena. Every block of it is [marked](marked_blocks).
#[inline(always)]
pub fn holds(block: *const c_void) -> bool {
    block.addr().wrapping_sub(ARENA.0.get().addr()) < SIZE
}

/// Allocates a zeroed block of `size` bytes at a multiple of `align`. NULL if the arena has no room left.
pub fn allocate(size: usize, align: usize) -> *mut c_void {
    let align = align.max(ALIGN);
    let Some(needed) = size
        .max(1)
        .checked_next_multiple_of(ALIGN)
        .filter(|_| align.is_power_of_two())
    else {
        return ptr::null_mut();
    };
    let base = ARENA.0.get().addr();
    let place = |used: usize| -> Option<(usize, usize)> {
        let start = base
            .checked_add(used)?
            .checked_add(ALIGN)?
            .checked_next_multiple_of(align)?
            - base;
        let end = start.checked_add(needed)?;
        (end <= SIZE).then_some((start, end))
    };
    let Ok(used) = USED.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
        Some(place(used)?.1)
    }) else {
        return ptr::null_mut();
    };
    let Some((start, _)) = place(used) else {
        return ptr::null_mut();
    };
    // SAFETY: `start - ALIGN .. start + needed` is within the arena. The update of `USED` gives it to this call
    // alone. `start` is a multiple of 16, so the size before it is aligned.
    let block: *mut c_void = unsafe {
        let block = ARENA.0.get().cast::<u8>().add(start);
        block.sub(ALIGN).cast::<usize>().write(needed);
        block.cast()
    };
    marked_blocks::mark_for_good(block);
    block
}

/// The size of a block of the arena, in bytes.
///
/// # Safety
/// `block` is the start of a block that [`allocate`] returned.
pub unsafe fn size(block: *const c_void) -> usize {
    // SAFETY: `allocate` wrote it there.
    unsafe { block.cast::<u8>().sub(ALIGN).cast::<usize>().read() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_zeroed_aligned_apart_and_recognised() {
        let first = allocate(10, 1);
        let second = allocate(100, 64);
        assert!(!first.is_null() && !second.is_null());
        assert_eq!(second.addr() % 64, 0);
        assert!(holds(first) && holds(second));
        assert!(marked_blocks::may_have(first) && marked_blocks::may_have(second));
        assert!(!holds(ptr::null()) && !holds(ptr::from_ref(&USED).cast()));
        // SAFETY: both are starts of blocks.
        unsafe {
            assert_eq!((size(first), size(second)), (16, 112));
            assert!(
                std::slice::from_raw_parts(second.cast::<u8>(), 112)
                    .iter()
                    .all(|&byte| byte == 0)
            );
        }
        assert!(second.addr() >= first.addr() + 16);
        assert!(allocate(SIZE, 1).is_null());
        assert!(allocate(usize::MAX, 1).is_null());
        assert!(allocate(1, 3 * 16).is_null());
    }
}
