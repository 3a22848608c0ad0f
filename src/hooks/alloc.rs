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

/// What blocks are aligned to that nothing else is asked of.
const ALIGN: usize = 16;

/// # Safety
/// As malloc(3) has it.
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn malloc(size: size_t) -> *mut c_void {
    // SAFETY: what the caller promises is what the next one asks.
    allocate(Function::Malloc, Some(size), ALIGN, move || unsafe {
        next::malloc(size)
    })
}

/// # Safety
/// As calloc(3) has it.
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn calloc(count: size_t, size: size_t) -> *mut c_void {
    let product = count.checked_mul(size);
    // SAFETY: what the caller promises is what the next one asks.
    allocate(Function::Calloc, product, ALIGN, move || unsafe {
        next::calloc(count, size)
    })
}

/// # Safety
/// As realloc(3) has it.
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn realloc(block: *mut c_void, size: size_t) -> *mut c_void {
    // SAFETY: what the caller promises is what the next one asks.
    resize(Function::Realloc, block, Some(size), move || unsafe {
        next::realloc(block, size)
    })
}

/// # Safety
/// As reallocarray(3) has it.
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn reallocarray(
    block: *mut c_void,
    count: size_t,
    size: size_t,
) -> *mut c_void {
    resize(
        Function::Reallocarray,
        block,
        count.checked_mul(size),
        // The C library's own calls realloc, where anyone may interpose: that would be seen as a second call.
        || match count.checked_mul(size) {
            // SAFETY: what the caller promises is what the next one asks.
            Some(bytes) => unsafe { next::realloc(block, bytes) },
            None => {
                sys::set_errno(libc::ENOMEM);
                ptr::null_mut()
            }
        },
    )
}

/// # Safety
/// As free(3) has it.
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn free(block: *mut c_void) {
    // SAFETY: what the caller promises is what the next one asks.
    release(Function::Free, block, 0, move || unsafe {
        next::free(block)
    });
}

/// # Safety
/// As free(3) has it.
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn cfree(block: *mut c_void) {
    // SAFETY: what the caller promises is what the next one asks.
    release(Function::Cfree, block, 0, move || unsafe {
        next::cfree(block)
    });
}

/// # Safety
/// As C23 has it (7.24.3.4).
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn free_sized(block: *mut c_void, size: size_t) {
    // SAFETY: what the caller promises is what the next one asks.
    release(Function::FreeSized, block, size, move || unsafe {
        next::free_sized(block, size)
    });
}

/// # Safety
/// As C23 has it (7.24.3.5).
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn free_aligned_sized(block: *mut c_void, align: size_t, size: size_t) {
    release(Function::FreeAlignedSized, block, size, move || {
        // SAFETY: what the caller promises is what the next one asks.
        unsafe { next::free_aligned_sized(block, align, size) }
    });
}

/// # Safety
/// As posix_memalign(3) has it.
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn posix_memalign(
    place: *mut *mut c_void,
    align: size_t,
    size: size_t,
) -> c_int {
    let status = Cell::new(libc::ENOMEM);
    let block = allocate(Function::PosixMemalign, Some(size), align, || {
        // SAFETY: what the caller promises is what the next one asks; where it succeeds, it has written the block.
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
        // SAFETY: `place` may be written, as the caller promises.
        unsafe { place.write(block) };
        status.set(0);
    }
    status.get()
}

/// # Safety
/// As aligned_alloc(3) has it.
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn aligned_alloc(align: size_t, size: size_t) -> *mut c_void {
    // SAFETY: what the caller promises is what the next one asks.
    allocate(Function::AlignedAlloc, Some(size), align, move || unsafe {
        next::aligned_alloc(align, size)
    })
}

/// # Safety
/// As memalign(3) has it.
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn memalign(align: size_t, size: size_t) -> *mut c_void {
    // SAFETY: what the caller promises is what the next one asks.
    allocate(Function::Memalign, Some(size), align, move || unsafe {
        next::memalign(align, size)
    })
}

/// # Safety
/// As valloc(3) has it.
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn valloc(size: size_t) -> *mut c_void {
    let page = sys::page_bytes();
    // SAFETY: what the caller promises is what the next one asks.
    allocate(Function::Valloc, Some(size), page, move || unsafe {
        next::valloc(size)
    })
}

/// # Safety
/// As pvalloc(3) has it.
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn pvalloc(size: size_t) -> *mut c_void {
    let page = sys::page_bytes();
    // SAFETY: what the caller promises is what the next one asks.
    allocate(Function::Pvalloc, Some(size), page, move || unsafe {
        next::pvalloc(size)
    })
}

/// # Safety
/// As malloc_usable_size(3) has it.
#[cfg_attr(not(test), unsafe(no_mangle))]
unsafe extern "C-unwind" fn malloc_usable_size(block: *mut c_void) -> size_t {
    if arena::holds(block) {
        // SAFETY: the caller has it from us, as the start of a block.
        return unsafe { arena::size(block) };
    }
    // SAFETY: what the caller promises is what the next one asks.
    query(Function::MallocUsableSize, move || unsafe {
        next::malloc_usable_size(block)
    })
}

/// Whether what calls `free` by its address comes here.
pub extern "C" fn is_free_reached() -> bool {
    recording::is_reached(free)
}
