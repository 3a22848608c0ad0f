//! The size of a block of the heap, as its allocator has it.

use std::ffi::c_void;
use std::mem::transmute;
use std::sync::atomic::{AtomicU32, Ordering};

use libc::size_t;
use once_cell::race::OnceNonZeroUsize;
use weir_record::functions::Function;

use crate::linking::next;

/// The next `malloc`'s function that returns the size of a block.
static SIZE_OF_BLOCK: OnceNonZeroUsize = OnceNonZeroUsize::new();

/// Finds the function that returns the size of a block. False if there is none that can be called. If a library has a
/// `malloc` and no `malloc_usable_size`, another library's function does not know its blocks. A sanitizer's function
/// ends the program for a block that it does not know, such as one that the sanitizer made while it started. Called
/// before any thread has a slot.
pub fn find() -> bool {
    let is_of_one_allocator =
        next::next_place(Function::Malloc) == next::next_place(Function::MallocUsableSize);
    let is_told = is_of_one_allocator && !next::is_malloc_sanitizers();
    let malloc = next::next_place(Function::Malloc);
    let others = (0..).zip(SELDOM_MADE);
    let others = others.filter(|&(_, maker)| next::next_place(maker) != malloc);
    let bits = others.fold(0, |bits, (place, _)| bits | 1 << place);
    OF_ANOTHER.store(bits, Ordering::Relaxed);
    let _ = SIZE_OF_BLOCK.set(if is_told {
        next::address(Function::MallocUsableSize)
    } else {
        next::function_address(no_size as *const ())
    });
    is_told
}

/// Functions that make blocks, and that some allocators do not define.
const SELDOM_MADE: [Function; 5] = [
    Function::Memalign,
    Function::AlignedAlloc,
    Function::PosixMemalign,
    Function::Valloc,
    Function::Pvalloc,
];
/// Which of them are another object's than `malloc`, a bit for each.
static OF_ANOTHER: AtomicU32 = AtomicU32::new(0);

/// Whether the blocks of a function are of another allocator than those of `malloc`, which knows nothing of their size: jemalloc has
/// no `pvalloc`, so that of the C library is called.
#[inline(always)]
pub fn is_of_another_allocator(function: Function) -> bool {
    let place = SELDOM_MADE.iter().position(|&maker| maker == function);
    place.is_some_and(|place| OF_ANOTHER.load(Ordering::Relaxed) & 1 << place != 0)
}

extern "C-unwind" fn no_size(_: *mut c_void) -> size_t {
    0
}

/// The size of a block in bytes, as its allocator returns it; 0 for NULL, and if the size is not known.
///
/// # Safety
/// The block is live, and comes from the next `malloc` or its kin. The calling thread has a slot.
#[inline(always)]
pub unsafe fn of(block: *mut c_void) -> size_t {
    // SAFETY: the thread has a slot, as the caller promises. So the image has started, and has stored a function of
    // this type.
    unsafe {
        let size = transmute::<usize, unsafe extern "C-unwind" fn(*mut c_void) -> size_t>(
            SIZE_OF_BLOCK.get_unchecked().get(),
        );
        size(block)
    }
}
