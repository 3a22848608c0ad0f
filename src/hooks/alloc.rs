//! The heap.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::ptr;

use libc::size_t;
use weir_record::functions::Function;

use crate::linking::next;
use crate::memory::arena;
use crate::recording::{self, allocate, query, release, resize};
use crate::sys;

/// The alignment of blocks, in bytes, if the caller asks for none.
const ALIGN: usize = 16;

/// Whether the program's calls of a function reach another object's and not ours. Then nothing is known of its blocks, which also
/// functions have that this object does not define.
#[inline(always)]
fn is_elsewhere(function: Function) -> bool {
    next::before_place(function) != 0
}

/// Frees a block by `next`, and follows that in the heap if it is of an allocator whose calls are seen.
fn release_by(function: Function, block: *mut c_void, size: usize, next: impl Fn() + Copy) {
    if is_elsewhere(Function::Free) {
        recording::count_request(function, size as u64);
        return next();
    }
    release(function, block, size, next);
}

/// # Safety
/// The same contract as malloc(3).
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn malloc(size: size_t) -> *mut c_void {
    // SAFETY: the next function has the same contract, and our caller keeps it.
    allocate(Function::Malloc, Some(size), ALIGN, move || unsafe {
        next::malloc(size)
    })
}

/// # Safety
/// The same contract as calloc(3).
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn calloc(count: size_t, size: size_t) -> *mut c_void {
    let product = count.checked_mul(size);
    // SAFETY: the next function has the same contract, and our caller keeps it.
    allocate(Function::Calloc, product, ALIGN, move || unsafe {
        next::calloc(count, size)
    })
}

/// # Safety
/// The same contract as realloc(3).
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn realloc(block: *mut c_void, size: size_t) -> *mut c_void {
    // SAFETY: the next function has the same contract, and our caller keeps it.
    resize(Function::Realloc, block, Some(size), move || unsafe {
        next::realloc(block, size)
    })
}

/// # Safety
/// The same contract as reallocarray(3).
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn reallocarray(
    block: *mut c_void,
    count: size_t,
    size: size_t,
) -> *mut c_void {
    let product = count.checked_mul(size);
    if is_elsewhere(Function::Realloc) {
        let counted = recording::count_request(Function::Reallocarray, product.unwrap_or(0) as u64);
        // SAFETY: the next function has the same contract, and our caller keeps it.
        let after = unsafe { next::reallocarray(block, count, size) };
        if after.is_null() && product != Some(0) {
            counted.failed(Function::Reallocarray);
        }
        return after;
    }
    // SAFETY: the next function has the same contract, and our caller keeps it.
    resize(Function::Reallocarray, block, product, move || unsafe {
        next::reallocarray(block, count, size)
    })
}

/// # Safety
/// The same contract as free(3).
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn free(block: *mut c_void) {
    // SAFETY: the next function has the same contract, and our caller keeps it.
    release(Function::Free, block, 0, move || unsafe {
        next::free(block)
    });
}

/// # Safety
/// The same contract as free(3).
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn cfree(block: *mut c_void) {
    // SAFETY: the next function has the same contract, and our caller keeps it.
    release_by(Function::Cfree, block, 0, move || unsafe {
        next::cfree(block)
    });
}

/// # Safety
/// The same contract as in C23 (7.24.3.4).
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn free_sized(block: *mut c_void, size: size_t) {
    // SAFETY: the next function has the same contract, and our caller keeps it.
    release_by(Function::FreeSized, block, size, move || unsafe {
        next::free_sized(block, size)
    });
}

/// # Safety
/// The same contract as in C23 (7.24.3.5).
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn free_aligned_sized(block: *mut c_void, align: size_t, size: size_t) {
    release_by(Function::FreeAlignedSized, block, size, move || {
        // SAFETY: the next function has the same contract, and our caller keeps it.
        unsafe { next::free_aligned_sized(block, align, size) }
    });
}

/// # Safety
/// The same contract as posix_memalign(3).
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn posix_memalign(
    place: *mut *mut c_void,
    align: size_t,
    size: size_t,
) -> c_int {
    let status = Cell::new(libc::ENOMEM);
    let block = allocate(Function::PosixMemalign, Some(size), align, || {
        // SAFETY: the next function has the same contract, and our caller keeps it. If it succeeds, it has written the
        // block's address.
        unsafe {
            status.set(next::posix_memalign(place, align, size));
            if status.get() == 0 {
                place.read()
            } else {
                ptr::null_mut()
            }
        }
    });
    if arena::holds(block) {
        // SAFETY: the caller guarantees that `place` may be written.
        unsafe { place.write(block) };
        status.set(0);
    }
    status.get()
}

/// # Safety
/// The same contract as aligned_alloc(3).
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn aligned_alloc(align: size_t, size: size_t) -> *mut c_void {
    // SAFETY: the next function has the same contract, and our caller keeps it.
    allocate(Function::AlignedAlloc, Some(size), align, move || unsafe {
        next::aligned_alloc(align, size)
    })
}

/// # Safety
/// The same contract as memalign(3).
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn memalign(align: size_t, size: size_t) -> *mut c_void {
    // SAFETY: the next function has the same contract, and our caller keeps it.
    allocate(Function::Memalign, Some(size), align, move || unsafe {
        next::memalign(align, size)
    })
}

/// # Safety
/// The same contract as valloc(3).
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn valloc(size: size_t) -> *mut c_void {
    let page = sys::page_bytes();
    // SAFETY: the next function has the same contract, and our caller keeps it.
    allocate(Function::Valloc, Some(size), page, move || unsafe {
        next::valloc(size)
    })
}

/// # Safety
/// The same contract as pvalloc(3).
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn pvalloc(size: size_t) -> *mut c_void {
    let page = sys::page_bytes();
    // SAFETY: the next function has the same contract, and our caller keeps it.
    allocate(Function::Pvalloc, Some(size), page, move || unsafe {
        next::pvalloc(size)
    })
}

/// # Safety
/// The same contract as malloc_usable_size(3).
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn malloc_usable_size(block: *mut c_void) -> size_t {
    if arena::holds(block) {
        // SAFETY: our hooks returned this block, and the caller passes the start of a block.
        return unsafe { arena::size(block) };
    }
    // SAFETY: the next function has the same contract, and our caller keeps it.
    query(Function::MallocUsableSize, move || unsafe {
        next::malloc_usable_size(block)
    })
}

/// Whether a call of `free` through its address reaches our hook.
pub extern "C" fn is_free_reached() -> bool {
    recording::is_reached(free)
}
