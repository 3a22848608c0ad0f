//! Calls that make, resize, give back or ask about heap blocks.

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use weir_record::counter::{Adder, Alone, Shared};
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

/// The counters for a call of the heap: each operation uses them in the same way, whether or not they are shared.
trait Sink: Copy {
    /// How its counters are added to.
    type Adder: Adder;

    fn counters(&self) -> &Counters;

    /// Makes the call, and times it where its turn has come.
    fn call<T>(self, function: Function, size: u64, next: impl Fn() -> T) -> T;

    /// The live bytes are more by this.
    fn grow(self, bytes: u64);

    /// The live bytes are less by this.
    fn shrink(self, bytes: u64);

    /// The live bytes are more by this, which may be less than nothing, wrapping.
    fn shift(self, bytes: u64);
}

/// The slot of the thread that calls: it alone counts there.
#[derive(Clone, Copy)]
struct Own<'a>(&'a Slot);

impl Sink for Own<'_> {
    type Adder = Alone;

    #[inline(always)]
    fn counters(&self) -> &Counters {
        &self.0.counters
    }

    #[inline(always)]
    fn call<T>(self, function: Function, size: u64, next: impl Fn() -> T) -> T {
        if self.0.countdown.due() {
            timed(next, self.0, function, size)
        } else {
            next()
        }
    }

    #[inline(always)]
    fn grow(self, bytes: u64) {
        if self.0.grow(bytes) {
            publish(self.0);
        }
    }

    #[inline(always)]
    fn shrink(self, bytes: u64) {
        if self.0.shrink(bytes) {
            publish(self.0);
        }
    }

    #[inline(always)]
    fn shift(self, bytes: u64) {
        if self.0.counters.shift(bytes) {
            publish(self.0);
        }
    }
}

/// The common counters, which any thread without a slot counts into. Nothing is timed.
#[derive(Clone, Copy)]
struct Common(&'static Counters);

impl Sink for Common {
    type Adder = Shared;

    fn counters(&self) -> &Counters {
        self.0
    }

    fn call<T>(self, _: Function, _: u64, next: impl Fn() -> T) -> T {
        next()
    }

    fn grow(self, bytes: u64) {
        self.shift(bytes);
    }

    fn shrink(self, bytes: u64) {
        self.shift(bytes.wrapping_neg());
    }

    fn shift(self, bytes: u64) {
        self.0.live_bytes.add_shared(bytes);
        if let Some(header) = process::header() {
            let live = header.heap.live_bytes.add_shared(bytes);
            header.heap.peak_bytes.raise_shared(live.cast_signed());
        }
    }
}

/// Records a call that makes a heap block.
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
    // A product that no size can hold is asked for in vain; it counts as a call and an error.
    let requested = size.unwrap_or(0) as u64;
    sink.counters().count::<S::Adder>(function, requested);
    let block = sink.call(function, requested, next);
    if block.is_null() {
        S::Adder::add(&sink.counters().of(function).errors, 1);
    } else {
        sink.grow(usable(block));
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
    match attach::target() {
        Target::Own(slot) => {
            let block = allocate_into(Own(slot), function, size, next);
            fork::inherit_anew();
            if coop::has_runtime() && !block.is_null() {
                coop::count_heap(Heap {
                    bytes: usable(block),
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
        Some(slot) => resize_into(Own(slot), function, block, size, next).0,
        None => resize_unseen(function, block, size, next),
    }
}

/// The block, and what became of the heap.
#[inline(always)]
fn resize_into<S: Sink>(
    sink: S,
    function: Function,
    block: *mut c_void,
    size: Option<usize>,
    next: impl Fn() -> *mut c_void + Copy,
) -> (*mut c_void, Resized) {
    let requested = size.unwrap_or(0) as u64;
    let before = usable(block);
    let counters = sink.counters();
    counters.count::<S::Adder>(function, requested);
    let after = sink.call(function, requested, next);
    let outcome = Resized::of(block, size, before, after);
    S::Adder::add(&counters.of(function).errors, u64::from(outcome.failed));
    S::Adder::add(&counters.blocks_adjustment, outcome.blocks.cast_unsigned());
    sink.shift(outcome.bytes);
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
            let (after, outcome) = resize_into(Own(slot), function, block, size, next);
            fork::inherit_anew();
            if coop::has_runtime() {
                coop::count_heap(Heap {
                    bytes: outcome.bytes,
                    blocks: outcome.blocks.cast_unsigned(),
                    made: u64::from(outcome.blocks > 0),
                });
            }
            after
        }
        Target::Common(counters) => resize_into(Common(counters), function, block, size, next).0,
        Target::Ours(_) if block.is_null() => from_arena(size, 1),
        other => {
            pass(other, function);
            next()
        }
    }
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
    sink.counters().count::<S::Adder>(function, size as u64);
    if block.is_null() {
        S::Adder::add(&sink.counters().blocks_adjustment, 1);
    } else {
        sink.shrink(usable(block));
    }
    sink.call(function, size as u64, next);
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
            // The next function need not be called.
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
            pass(other, function);
            next();
        }
    }
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
