//! Blocks of the arena, from which the C library has memory while it works for Weir.

use std::ffi::c_void;
use std::ptr;

use weir_record::functions::Function;

use super::allocate;
use crate::linking::next;
use crate::memory::arena;
use crate::sys;

/// Allocates memory for the C library while it works for Weir. Sizes are in bytes. Returns NULL, with ENOMEM, if that
/// fails.
pub(super) fn from_arena(size: Option<usize>, align: usize) -> *mut c_void {
    let block = size.map_or(ptr::null_mut(), |size| arena::allocate(size, align));
    if block.is_null() {
        sys::set_errno(libc::ENOMEM);
    }
    block
}

/// Resizes a block of the arena: makes a new block, by the program's allocator unless the call is Weir's own.
#[cold]
#[inline(never)]
pub(super) fn out_of_arena(block: *mut c_void, size: Option<usize>) -> *mut c_void {
    let Some(size) = size else {
        sys::set_errno(libc::ENOMEM);
        return ptr::null_mut();
    };
    if size == 0 {
        return ptr::null_mut();
    }
    // SAFETY: `malloc` accepts any size.
    let fresh = allocate(Function::Malloc, Some(size), 1, || unsafe {
        next::malloc(size)
    });
    if !fresh.is_null() {
        // SAFETY: the caller of realloc owns the block, and passes its start. The new block has `size` bytes, and is
        // another block.
        unsafe {
            let kept = arena::size(block).min(size);
            ptr::copy_nonoverlapping(block.cast::<u8>(), fresh.cast(), kept);
        }
    }
    fresh
}
