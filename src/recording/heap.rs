//! Calls that make, resize, free or query heap blocks.
//!
//! ```text
//! sink           which counters a call is counted in
//! due            what is done at a few calls: times, sites, samples, the total of what is live
//! nested         whether a call has counted already, by calls of its own
//! arena_blocks   blocks that the C library has while it works for Weir
//! ```

mod arena_blocks;
mod due;
mod nested;
mod sink;

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use weir_record::counter::{Adder, Alone};
use weir_record::functions::Function;

use super::{block_sites, count_in, count_unseen, pass, timed};
use crate::coop::{self, Heap};
use crate::life::{
    attach::{self, Target},
    fork,
};
use crate::linking::block_size;
use crate::memory::{arena, marked_blocks};
use crate::stacks::live::Taken;
use crate::thread;
use arena_blocks::{from_arena, out_of_arena};
use nested::{has_counted, live_before};
use sink::{Common, Own, Sink};

/// Records a call that makes a heap block. `size` and `align` are in bytes. `size` is `None` if the program asked for
/// more than a `usize` can express.
#[inline(always)]
pub fn allocate(
    function: Function,
    size: Option<usize>,
    align: usize,
    next: impl Fn() -> *mut c_void + Copy,
) -> *mut c_void {
    match thread::slot() {
        Some(slot) => allocate_into(Own(slot), function, size, next),
        None => allocate_unseen(function, size, align, next),
    }
}

#[inline(always)]
fn allocate_into<S: Sink>(
    sink: S,
    function: Function,
    size: Option<usize>,
    next: impl Fn() -> *mut c_void + Copy,
) -> *mut c_void {
    // A request of `None` must fail: it counts as a call of 0 bytes and an error.
    let requested = size.unwrap_or(0) as u64;
    count_in::<S::Adder>(sink.counters(), function, requested);
    let before = live_before(sink, function);
    let block = sink.make(function, requested, next);
    if block.is_null() {
        S::Adder::add(&sink.counters().of(function).errors, 1);
        return block;
    }
    let bytes = made(function, block);
    if has_counted(sink, before, bytes) {
        S::Adder::add(&sink.counters().blocks_adjustment, 1_u64.wrapping_neg());
        return block;
    }
    sink.grow(function, requested, block, bytes)
}

#[cold]
#[inline(never)]
fn allocate_unseen(
    function: Function,
    size: Option<usize>,
    align: usize,
    next: impl Fn() -> *mut c_void + Copy,
) -> *mut c_void {
    match attach::target() {
        Target::Own(slot) => {
            let block = allocate_into(Own(slot), function, size, next);
            fork::inherit_anew();
            if coop::has_runtime() && !block.is_null() {
                coop::count_heap(Heap {
                    bytes: made(function, block),
                    blocks: 1,
                    made: 1,
                });
            }
            block
        }
        Target::Common(counters) => allocate_into(Common(counters), function, size, next),
        Target::Ours(_) => from_arena(size, align),
        other => {
            pass(other, function);
            next()
        }
    }
}

/// Records a call that changes a heap block's size. `size` is in bytes, and `None` if it cannot be expressed in a
/// `usize`.
#[inline(always)]
pub fn resize(
    function: Function,
    block: *mut c_void,
    size: Option<usize>,
    next: impl Fn() -> *mut c_void + Copy,
) -> *mut c_void {
    if marked_blocks::may_have(block) {
        return resize_marked(function, block, size, next);
    }
    match thread::slot() {
        Some(slot) => resize_into(Own(slot), function, block, size, None, next).0,
        None => resize_unseen(function, block, size, next),
    }
}

/// The same for a block that may be NULL, of the arena, or a sample.
#[inline(never)]
fn resize_marked(
    function: Function,
    block: *mut c_void,
    size: Option<usize>,
    next: impl Fn() -> *mut c_void + Copy,
) -> *mut c_void {
    if arena::holds(block) {
        return out_of_arena(block, size);
    }
    match thread::slot() {
        Some(slot) => {
            let sample = block_sites::taken_sample(block);
            resize_into(Own(slot), function, block, size, sample, next).0
        }
        None => resize_unseen(function, block, size, next),
    }
}

/// Returns the block, and how the heap has changed. `sample` is what was noted of the block, if it is a sample.
#[inline(always)]
fn resize_into<S: Sink>(
    sink: S,
    function: Function,
    block: *mut c_void,
    size: Option<usize>,
    sample: Option<Taken>,
    next: impl Fn() -> *mut c_void + Copy,
) -> (*mut c_void, Resized) {
    let requested = size.unwrap_or(0) as u64;
    // A product that is too large: nobody looks at the block, which may be none.
    let before = size.map_or(0, |_| usable(block));
    let counters = sink.counters();
    count_in::<S::Adder>(counters, function, requested);
    let live = live_before(sink, function);
    let after = sink.resize(function, requested, block, before, next);
    let outcome = Resized::of(block, size, before, after);
    S::Adder::add(&counters.of(function).errors, u64::from(outcome.failed));
    if let Some(sample) = sample {
        sink.end_resizing_sample(block, sample, before, !outcome.failed);
    }
    if has_counted(sink, live, outcome.made.wrapping_sub(outcome.freed)) {
        return (after, outcome);
    }
    S::Adder::add(&counters.blocks_adjustment, outcome.blocks.cast_unsigned());
    if !outcome.failed {
        sink.replace(function, requested, outcome.freed, after, outcome.made);
    }
    (after, outcome)
}

#[cold]
#[inline(never)]
fn resize_unseen(
    function: Function,
    block: *mut c_void,
    size: Option<usize>,
    next: impl Fn() -> *mut c_void + Copy,
) -> *mut c_void {
    match attach::target() {
        Target::Own(slot) => {
            let sample = block_sites::taken_sample(block);
            let (after, outcome) = resize_into(Own(slot), function, block, size, sample, next);
            fork::inherit_anew();
            if coop::has_runtime() {
                coop::count_heap(Heap {
                    bytes: outcome.made.wrapping_sub(outcome.freed),
                    blocks: outcome.blocks.cast_unsigned(),
                    made: u64::from(outcome.blocks > 0),
                });
            }
            after
        }
        Target::Common(counters) => {
            resize_into(Common(counters), function, block, size, None, next).0
        }
        Target::Ours(_) if block.is_null() => from_arena(size, 1),
        other => {
            let moved = block_sites::Moved::before(block, usable);
            pass(other, function);
            let after = next();
            if !after.is_null() || size == Some(0) {
                moved.went();
            } else {
                moved.stayed();
            }
            after
        }
    }
}

/// How a resize changed the heap.
struct Resized {
    failed: bool,
    /// Bytes of the block that is gone.
    freed: u64,
    /// Bytes of the block that is there now.
    made: u64,
    /// The difference in blocks.
    blocks: i64,
}

impl Resized {
    #[inline(always)]
    fn of(block: *mut c_void, size: Option<usize>, before: u64, after: *mut c_void) -> Resized {
        if !after.is_null() {
            Resized {
                failed: false,
                freed: before,
                made: usable(after),
                blocks: i64::from(block.is_null()),
            }
        } else if size == Some(0) && !block.is_null() {
            // The GNU C library frees the block then.
            Resized {
                failed: false,
                freed: before,
                made: 0,
                blocks: -1,
            }
        } else {
            Resized {
                failed: true,
                freed: 0,
                made: 0,
                blocks: 0,
            }
        }
    }
}

/// Records a call that frees a heap block. `size` is the size that the program passed, in bytes, or 0.
#[inline(always)]
pub fn release(function: Function, block: *mut c_void, size: usize, next: impl Fn() + Copy) {
    if marked_blocks::may_have(block) {
        return release_marked(function, block, size, next);
    }
    match thread::slot() {
        Some(slot) => {
            let sink = Own(slot);
            count_in::<Alone>(&slot.counters, function, size as u64);
            free_counted(sink, function, block, size, next, || {});
        }
        None => release_unseen(function, block, size, next),
    }
}

/// The same for a block that may be NULL, of the arena, or a sample.
#[inline(never)]
fn release_marked(function: Function, block: *mut c_void, size: usize, next: impl Fn() + Copy) {
    if arena::holds(block) {
        return;
    }
    match thread::slot() {
        Some(slot) => release_into(Own(slot), function, block, size, next),
        None => release_unseen(function, block, size, next),
    }
}

#[inline(always)]
fn release_into<S: Sink>(
    sink: S,
    function: Function,
    block: *mut c_void,
    size: usize,
    next: impl Fn() + Copy,
) {
    count_in::<S::Adder>(sink.counters(), function, size as u64);
    if block.is_null() {
        S::Adder::add(&sink.counters().blocks_adjustment, 1);
        return sink.free(function, size as u64, block, next);
    }
    free_counted(sink, function, block, size, next, || {
        sink.free_sample(block)
    });
}

/// Frees a block that is not NULL, and counts its bytes. `also` is called before it is freed.
#[inline(always)]
fn free_counted<S: Sink>(
    sink: S,
    function: Function,
    block: *mut c_void,
    size: usize,
    next: impl Fn() + Copy,
    also: impl Fn(),
) {
    let bytes = usable(block);
    sink.shrink(bytes);
    also();
    let before = live_before(sink, function);
    sink.free(function, size as u64, block, next);
    if has_counted(sink, before, bytes.wrapping_neg()) {
        // A nested call has counted it, too.
        S::Adder::add(&sink.counters().blocks_adjustment, 1);
        sink.grow(function, 0, ptr::null_mut(), bytes);
    }
}

/// Whether [`is_reached`] has called `free(NULL)`, and no hook has seen it yet.
static IS_ASKED: AtomicBool = AtomicBool::new(false);

/// Whether a call through the address of `free`, which must be our hook, reaches the hook. If the program's machine
/// code is translated at run time, another function may have replaced it. Nothing is freed.
pub fn is_reached(free: unsafe extern "C-unwind" fn(*mut c_void)) -> bool {
    IS_ASKED.store(true, Ordering::Relaxed);
    // Keeps the compiler from seeing which function this is.
    let free = std::hint::black_box(free);
    // SAFETY: `free` accepts NULL.
    thread::ours(|| unsafe { free(ptr::null_mut()) });
    !IS_ASKED.swap(false, Ordering::Relaxed)
}

#[cold]
#[inline(never)]
fn release_unseen(function: Function, block: *mut c_void, size: usize, next: impl Fn() + Copy) {
    let target = if block.is_null() {
        if IS_ASKED.load(Ordering::Relaxed) && thread::is_guarded() {
            // The test needs no call of the next function.
            return IS_ASKED.store(false, Ordering::Relaxed);
        }
        attach::target_for_free_null()
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
            release_into(Own(slot), function, block, size, next);
            fork::inherit_anew();
        }
        Target::Common(counters) => release_into(Common(counters), function, block, size, next),
        other => {
            let moved = block_sites::Moved::before(block, usable);
            pass(other, function);
            next();
            moved.went();
        }
    }
}

/// Records a call that asks about a heap block.
#[inline(always)]
pub fn query(function: Function, next: impl Fn() -> usize) -> usize {
    match thread::slot() {
        Some(slot) => {
            count_in::<Alone>(&slot.counters, function, 0);
            if slot.countdown.due() {
                return timed(next, slot, function, 0);
            }
        }
        None => _ = count_unseen(function, 0),
    }
    next()
}

/// The size in bytes of a block that this function has made; 0 for NULL, and where nobody knows it.
#[inline(always)]
fn made(function: Function, block: *mut c_void) -> u64 {
    if block_size::is_of_another_allocator(function) {
        return 0;
    }
    usable(block)
}

/// The block's size in bytes as its allocator sees it; 0 for NULL.
#[inline(always)]
fn usable(block: *mut c_void) -> u64 {
    // SAFETY: NULL, or a live block of the next allocator.
    unsafe { block_size::of(block) }
}
