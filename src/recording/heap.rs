//! Calls that make, resize, give back or ask about heap blocks.

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use weir_record::counter::{Alone, Shared};
use weir_record::functions::Function;
use weir_record::slot::{Counters, Slot};

use super::{count_unseen, pass, timed};
use crate::coop::{self, Heap};
use crate::life::{
    attach::{self, Target},
    fork,
};
use crate::linking::next;
use crate::memory::arena;
use crate::{process, sys, thread};

/// Records a call that makes a heap block.
#[inline(always)]
pub fn allocate(
    function: Function,
    size: Option<usize>,
    align: usize,
    next: impl Fn() -> *mut c_void + Copy,
) -> *mut c_void {
    match thread::slot() {
        Some(slot) => allocate_into(slot, function, size, next),
        None => allocate_unseen(function, size, align, next),
    }
}

#[inline(always)]
fn allocate_into(
    slot: &Slot,
    function: Function,
    size: Option<usize>,
    next: impl Fn() -> *mut c_void + Copy,
) -> *mut c_void {
    // A product that no size can hold is asked for in vain; it counts as a call and an error.
    let requested = size.unwrap_or(0) as u64;
    slot.counters.count::<Alone>(function, requested);
    let block = if slot.countdown.due() {
        timed(next, slot, function, requested)
    } else {
        next()
    };
    if block.is_null() {
        slot.counters.of(function).errors.add(1);
    } else if slot.grow(usable(block)) {
        publish(slot);
    }
    block
}

#[cold]
#[inline(never)]
fn allocate_unseen(
    function: Function,
    size: Option<usize>,
    align: usize,
    next: impl Fn() -> *mut c_void + Copy,
) -> *mut c_void {
    let counters = match attach::target() {
        Target::Own(slot) => {
            let block = allocate_into(slot, function, size, next);
            fork::inherit_anew();
            if coop::has_runtime() && !block.is_null() {
                coop::count_heap(Heap {
                    bytes: usable(block),
                    blocks: 1,
                    made: 1,
                });
            }
            return block;
        }
        Target::Common(counters) => counters,
        Target::Ours(_) => return from_arena(size, align),
        other => {
            pass(other, function);
            return next();
        }
    };
    counters.count::<Shared>(function, size.unwrap_or(0) as u64);
    let block = next();
    if block.is_null() {
        counters.of(function).errors.add_shared(1);
    } else {
        move_common(counters, usable(block));
    }
    block
}

/// Records a call that changes a heap block's size. None is a size that cannot be.
#[inline(always)]
pub fn resize(
    function: Function,
    block: *mut c_void,
    size: Option<usize>,
    next: impl Fn() -> *mut c_void + Copy,
) -> *mut c_void {
    if arena::holds(block) {
        return out_of_arena(block, size);
    }
    match thread::slot() {
        Some(slot) => resize_into(slot, function, block, size, next),
        None => resize_unseen(function, block, size, next),
    }
}

#[inline(always)]
fn resize_into(
    slot: &Slot,
    function: Function,
    block: *mut c_void,
    size: Option<usize>,
    next: impl Fn() -> *mut c_void + Copy,
) -> *mut c_void {
    let requested = size.unwrap_or(0) as u64;
    let before = usable(block);
    slot.counters.count::<Alone>(function, requested);
    let after = if slot.countdown.due() {
        timed(next, slot, function, requested)
    } else {
        next()
    };
    let outcome = Resized::of(block, size, before, after);
    slot.counters
        .of(function)
        .errors
        .add(u64::from(outcome.failed));
    slot.counters
        .blocks_adjustment
        .add(outcome.blocks.cast_unsigned());
    if slot.counters.shift(outcome.bytes) {
        publish(slot);
    }
    after
}

#[cold]
#[inline(never)]
fn resize_unseen(
    function: Function,
    block: *mut c_void,
    size: Option<usize>,
    next: impl Fn() -> *mut c_void + Copy,
) -> *mut c_void {
    let counters = match attach::target() {
        Target::Own(slot) => {
            let before = usable(block);
            let after = resize_into(slot, function, block, size, next);
            fork::inherit_anew();
            if coop::has_runtime() {
                let outcome = Resized::of(block, size, before, after);
                coop::count_heap(Heap {
                    bytes: outcome.bytes,
                    blocks: outcome.blocks.cast_unsigned(),
                    made: u64::from(outcome.blocks > 0),
                });
            }
            return after;
        }
        Target::Common(counters) => counters,
        Target::Ours(_) if block.is_null() => return from_arena(size, 1),
        other => {
            pass(other, function);
            return next();
        }
    };
    counters.count::<Shared>(function, size.unwrap_or(0) as u64);
    let before = usable(block);
    let after = next();
    let outcome = Resized::of(block, size, before, after);
    counters
        .of(function)
        .errors
        .add_shared(u64::from(outcome.failed));
    counters
        .blocks_adjustment
        .add_shared(outcome.blocks.cast_unsigned());
    move_common(counters, outcome.bytes);
    after
}

/// What a resize did to the heap.
struct Resized {
    failed: bool,
    /// Bytes more, wrapping.
    bytes: u64,
    /// Blocks more.
    blocks: i64,
}

impl Resized {
    #[inline(always)]
    fn of(block: *mut c_void, size: Option<usize>, before: u64, after: *mut c_void) -> Resized {
        if !after.is_null() {
            let bytes = usable(after).wrapping_sub(before);
            Resized {
                failed: false,
                bytes,
                blocks: i64::from(block.is_null()),
            }
        } else if size == Some(0) && !block.is_null() {
            // The GNU C library frees.
            Resized {
                failed: false,
                bytes: before.wrapping_neg(),
                blocks: -1,
            }
        } else {
            Resized {
                failed: true,
                bytes: 0,
                blocks: 0,
            }
        }
    }
}

/// Records a call that gives a heap block back.
#[inline(always)]
pub fn release(function: Function, block: *mut c_void, size: usize, next: impl Fn() + Copy) {
    if arena::holds(block) {
        return;
    }
    match thread::slot() {
        Some(slot) => release_into(slot, function, block, size, next),
        None => release_unseen(function, block, size, next),
    }
}

#[inline(always)]
fn release_into(
    slot: &Slot,
    function: Function,
    block: *mut c_void,
    size: usize,
    next: impl Fn() + Copy,
) {
    slot.counters.count::<Alone>(function, size as u64);
    if block.is_null() {
        slot.counters.blocks_adjustment.add(1);
    } else if slot.shrink(usable(block)) {
        publish(slot);
    }
    if slot.countdown.due() {
        timed(next, slot, function, size as u64);
    } else {
        next();
    }
}

/// Whether a free of nothing by ourselves is to come by.
static IS_ASKED: AtomicBool = AtomicBool::new(false);

/// Whether `free`, which must be ours, is what is called by its address: where the program's machine code is translated
/// as it runs, another may have taken its place. Nothing is freed.
pub fn is_reached(free: unsafe extern "C-unwind" fn(*mut c_void)) -> bool {
    IS_ASKED.store(true, Ordering::Relaxed);
    // The compiler must not see whose address it is.
    let free = std::hint::black_box(free);
    // SAFETY: NULL may be freed.
    thread::ours(|| unsafe { free(ptr::null_mut()) });
    !IS_ASKED.swap(false, Ordering::Relaxed)
}

#[cold]
#[inline(never)]
fn release_unseen(function: Function, block: *mut c_void, size: usize, next: impl Fn() + Copy) {
    let target = if block.is_null() {
        if IS_ASKED.load(Ordering::Relaxed) && thread::is_guarded() {
            // The next function need not hear of it.
            return IS_ASKED.store(false, Ordering::Relaxed);
        }
        attach::target_of_nothing()
    } else {
        attach::target()
    };
    match target {
        Target::Own(slot) => {
            if coop::has_runtime() && !block.is_null() {
                coop::count_heap(Heap {
                    bytes: usable(block).wrapping_neg(),
                    blocks: 1_u64.wrapping_neg(),
                    made: 0,
                });
            }
            release_into(slot, function, block, size, next);
            return fork::inherit_anew();
        }
        Target::Common(counters) => {
            counters.count::<Shared>(function, size as u64);
            if block.is_null() {
                counters.blocks_adjustment.add_shared(1);
            } else {
                move_common(counters, usable(block).wrapping_neg());
            }
        }
        other => pass(other, function),
    }
    next();
}

/// Records a call that asks about a heap block.
#[inline(always)]
pub fn query(function: Function, next: impl Fn() -> usize) -> usize {
    match thread::slot() {
        Some(slot) => {
            slot.counters.count::<Alone>(function, 0);
            if slot.countdown.due() {
                return timed(next, slot, function, 0);
            }
        }
        None => count_unseen(function),
    }
    next()
}

/// The size of a block as its allocator sees it; 0 for NULL.
#[inline(always)]
fn usable(block: *mut c_void) -> u64 {
    // SAFETY: a block of the allocator behind us, which is live, or NULL.
    unsafe { next::size_of_block(block) as u64 }
}

#[cold]
#[inline(never)]
fn publish(slot: &Slot) {
    if let Some(header) = process::header() {
        slot.counters.publish(&header.heap);
    }
}

/// Adds to the live bytes of the common counters, and of the heap.
fn move_common(counters: &Counters, bytes: u64) {
    counters.live_bytes.add_shared(bytes);
    if let Some(header) = process::header() {
        let live = header.heap.live_bytes.add_shared(bytes);
        header.heap.peak_bytes.raise_shared(live.cast_signed());
    }
}

/// Memory for the C library while it works for us.
fn from_arena(size: Option<usize>, align: usize) -> *mut c_void {
    let block = size.map_or(ptr::null_mut(), |size| arena::allocate(size, align));
    if block.is_null() {
        sys::set_errno(libc::ENOMEM);
    }
    block
}

/// Resizes a block of the arena: by making one where it is due.
#[cold]
#[inline(never)]
fn out_of_arena(block: *mut c_void, size: Option<usize>) -> *mut c_void {
    let Some(size) = size else {
        sys::set_errno(libc::ENOMEM);
        return ptr::null_mut();
    };
    if size == 0 {
        return ptr::null_mut();
    }
    // SAFETY: `malloc` takes any size.
    let fresh = allocate(Function::Malloc, Some(size), 1, || unsafe {
        next::malloc(size)
    });
    if !fresh.is_null() {
        // SAFETY: the caller of realloc owns the block, which is a start of one, as it must be; the
        // new one has `size` bytes and is another.
        unsafe {
            let kept = arena::size(block).min(size);
            ptr::copy_nonoverlapping(block.cast::<u8>(), fresh.cast(), kept);
        }
    }
    fresh
}
