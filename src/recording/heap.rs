//! Calls that make, resize, free or query heap blocks.

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use weir_record::counter::{Adder, Alone, Shared};
use weir_record::functions::Function;
use weir_record::slot::{Counters, Due, Slot};

use super::sites::By;
use super::{count_in, count_unseen, pass, sites, timed, timed_in_turn, timed_now};
use crate::coop::{self, Heap};
use crate::life::{
    attach::{self, Target},
    fork, inheritance,
};
use crate::linking::{block_size, next};
use crate::memory::{arena, marked_blocks};
use crate::stacks::live::Taken;
use crate::{process, region, sys, thread};

/// The counters for a call of the heap. Every operation uses them in the same way, whether they are shared or not.
trait Sink: Copy {
    /// How the counters are added to.
    type Adder: Adder;

    fn counters(&self) -> &Counters;

    /// Makes a block. Times the call if the countdown says so, and counts it at its site. `size` is in bytes.
    fn make(self, function: Function, size: u64, next: impl Fn() -> *mut c_void) -> *mut c_void;

    /// The same for a call that changes the size of `block`, which has `before` bytes.
    fn resize(
        self,
        function: Function,
        size: u64,
        block: *mut c_void,
        before: u64,
        next: impl Fn() -> *mut c_void,
    ) -> *mut c_void;

    /// The same for a call that frees `block`.
    fn free(self, function: Function, size: u64, block: *mut c_void, next: impl Fn());

    /// What is live by its counters, in bytes, to see whether a call that is made now is nested ([`live_before`]).
    fn live_bytes(self) -> Option<u64>;

    /// Counts the bytes of a block that was made, and the block at its site if it is a sample. `size` is what was asked for, in bytes.
    /// Returns the block.
    fn grow(self, function: Function, size: u64, block: *mut c_void, bytes: u64) -> *mut c_void;

    /// Counts the bytes of a block that is freed.
    fn shrink(self, bytes: u64);

    /// The same as both, for a call that has freed one block and made another.
    fn replace(self, function: Function, size: u64, freed: u64, block: *mut c_void, bytes: u64);

    /// A block is about to be freed: takes it from what is live at its site, if it is a sample.
    fn free_sample(self, block: *mut c_void);

    /// After a call that was to change the size of a sample: it has gone, or is still there. It had so many bytes.
    fn end_resizing_sample(self, block: *mut c_void, sample: Taken, bytes: u64, is_gone: bool);
}

/// The slot of the calling thread, which alone counts there.
#[derive(Clone, Copy)]
struct Own<'a>(&'a Slot);

impl Sink for Own<'_> {
    type Adder = Alone;

    #[inline(always)]
    fn counters(&self) -> &Counters {
        &self.0.counters
    }

    #[inline(always)]
    fn make(self, function: Function, size: u64, next: impl Fn() -> *mut c_void) -> *mut c_void {
        if self.0.countdown.due() {
            make_due(next, self.0, function, size)
        } else {
            next()
        }
    }

    #[inline(always)]
    fn resize(
        self,
        function: Function,
        size: u64,
        block: *mut c_void,
        before: u64,
        next: impl Fn() -> *mut c_void,
    ) -> *mut c_void {
        if self.0.countdown.due() {
            resize_due(next, self.0, function, size, block, before)
        } else {
            next()
        }
    }

    #[inline(always)]
    fn free(self, function: Function, size: u64, block: *mut c_void, next: impl Fn()) {
        if self.0.countdown.due() {
            free_due(next, self.0, function, size, block);
        } else {
            next();
        }
    }

    #[inline(always)]
    fn live_bytes(self) -> Option<u64> {
        Some(self.0.counters.live_bytes.get())
    }

    #[inline(always)]
    fn grow(self, function: Function, size: u64, block: *mut c_void, bytes: u64) -> *mut c_void {
        if self.0.grow(bytes) {
            return settle_making(self.0, function, size, block, bytes);
        }
        block
    }

    #[inline(always)]
    fn shrink(self, bytes: u64) {
        if self.0.shrink(bytes) {
            settle_freeing(self.0);
        }
    }

    #[inline(always)]
    fn replace(self, function: Function, size: u64, freed: u64, block: *mut c_void, bytes: u64) {
        if self.0.replace(freed, bytes) {
            count_sample(self.0, function, size, block, bytes);
        }
    }

    #[inline(always)]
    fn free_sample(self, block: *mut c_void) {
        sites::count_freeing_of_sample(self.0, block, usable);
    }

    #[cold]
    #[inline(never)]
    fn end_resizing_sample(self, block: *mut c_void, sample: Taken, bytes: u64, is_gone: bool) {
        match is_gone {
            true => sites::count_freeing(self.0, block, Some(sample), bytes, By::Resizing),
            false => sites::put_back(self.0, block, sample),
        }
    }
}

/// The common counters, for all threads without a slot. Their calls are not timed.
#[derive(Clone, Copy)]
struct Common(&'static Counters);

impl Sink for Common {
    type Adder = Shared;

    fn counters(&self) -> &Counters {
        self.0
    }

    fn make(self, _: Function, _: u64, next: impl Fn() -> *mut c_void) -> *mut c_void {
        next()
    }

    fn resize(
        self,
        _: Function,
        size: u64,
        block: *mut c_void,
        before: u64,
        next: impl Fn() -> *mut c_void,
    ) -> *mut c_void {
        let moved = sites::Moved::before(block, |_| before);
        let after = next();
        if !after.is_null() || size == 0 {
            moved.went();
        } else {
            moved.stayed();
        }
        after
    }

    fn free(self, _: Function, _: u64, block: *mut c_void, next: impl Fn()) {
        let moved = sites::Moved::before(block, usable);
        next();
        moved.went();
    }

    /// Other threads count there, too.
    fn live_bytes(self) -> Option<u64> {
        None
    }

    fn grow(self, _: Function, _: u64, block: *mut c_void, bytes: u64) -> *mut c_void {
        self.shift(bytes);
        block
    }

    fn shrink(self, bytes: u64) {
        self.shift(bytes.wrapping_neg());
    }

    fn replace(self, _: Function, _: u64, freed: u64, _: *mut c_void, bytes: u64) {
        self.shift(bytes.wrapping_sub(freed));
    }

    /// [`sites::Moved`] does it.
    fn free_sample(self, _: *mut c_void) {}

    fn end_resizing_sample(self, _: *mut c_void, _: Taken, _: u64, _: bool) {}
}

impl Common {
    /// Adds to the live bytes. A negative number wraps around.
    fn shift(self, bytes: u64) {
        self.0.live_bytes.add_shared(bytes);
        if region::has(self.0)
            && let Some(header) = process::header()
        {
            let live = header.heap.live_bytes.add_shared(bytes);
            header.heap.peak_bytes.raise_shared(live.cast_signed());
        }
    }
}

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

/// What is live before a call that may be nested. Nothing of calls of `malloc` and `free`: these are what allocators build the others
/// on, and they are to be quick.
///
/// An allocator in a library may do a `calloc` by its own `malloc`, or a `realloc` by `malloc` and `free`: through the dynamic
/// linker, and so by our hooks. Such a call has counted for what is live already.
#[inline(always)]
fn live_before<S: Sink>(sink: S, function: Function) -> Option<u64> {
    match function {
        Function::Malloc | Function::Free => None,
        _ => sink.live_bytes(),
    }
}

/// Whether a call that has changed what is live by so many bytes has counted for that, by calls of its own. A signal handler that comes
/// in between, and makes and keeps a block of just that size, would be taken for it.
#[inline(always)]
fn has_counted<S: Sink>(sink: S, before: Option<u64>, bytes: u64) -> bool {
    // First: where nothing is asked, nothing is loaded.
    let Some(before) = before else {
        return false;
    };
    let now = sink.live_bytes();
    now.is_some_and(|now| now != before && now.wrapping_sub(before) == bytes)
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
            let sample = sites::taken_sample(block);
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
            let sample = sites::taken_sample(block);
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
            let moved = sites::Moved::before(block, usable);
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

/// Makes a block by a call that is due: it is to be timed, or counted at its site. Not inlined, because the hot path needs its
/// registers.
#[inline(never)]
fn make_due(
    next: impl Fn() -> *mut c_void,
    slot: &Slot,
    function: Function,
    size: u64,
) -> *mut c_void {
    if slot.countdown.restart() {
        return timed_now(next, slot, function, size).0;
    }
    make_at_site(next, slot, function, size)
}

#[inline(never)]
fn make_at_site(
    next: impl Fn() -> *mut c_void,
    slot: &Slot,
    function: Function,
    size: u64,
) -> *mut c_void {
    let before = live_before(Own(slot), function);
    let (block, took_ticks) = timed_in_turn(next, slot, function, size);
    let bytes = made(function, block);
    // A nested call has noted the block at its own site.
    let is_noted = has_counted(Own(slot), before, bytes);
    let block_of_site = Some(block.cast_const()).filter(|_| !is_noted);
    sites::count_making(slot, function, size, took_ticks, block_of_site, bytes);
    block
}

/// The same for a call that changes a block's size.
#[inline(never)]
fn resize_due(
    next: impl Fn() -> *mut c_void,
    slot: &Slot,
    function: Function,
    size: u64,
    block: *mut c_void,
    before: u64,
) -> *mut c_void {
    if slot.countdown.restart() {
        return timed_now(next, slot, function, size).0;
    }
    resize_at_site(next, slot, function, size, block, before)
}

#[inline(never)]
fn resize_at_site(
    next: impl Fn() -> *mut c_void,
    slot: &Slot,
    function: Function,
    size: u64,
    block: *mut c_void,
    before: u64,
) -> *mut c_void {
    let taken = sites::taken(block);
    let live = live_before(Own(slot), function);
    let (after, took_ticks) = timed_in_turn(next, slot, function, size);
    let has_failed = after.is_null() && (size != 0 || block.is_null());
    let old = (block.cast_const(), taken, before);
    let bytes = usable(after);
    // A nested call has noted the new block at its own site. Of one of the same size, what is live does not tell.
    let is_noted = match bytes == before {
        true => sites::is_noted(after),
        false => has_counted(Own(slot), live, bytes.wrapping_sub(before)),
    };
    let new = (Some(after.cast_const()).filter(|_| !is_noted), bytes);
    sites::count_resizing(slot, function, size, took_ticks, has_failed, old, new);
    after
}

/// The same for a call that frees a block.
#[inline(never)]
fn free_due(next: impl Fn(), slot: &Slot, function: Function, size: u64, block: *mut c_void) {
    if slot.countdown.restart() {
        return timed_now(next, slot, function, size).0;
    }
    free_at_site(next, slot, function, size, block);
}

#[inline(never)]
fn free_at_site(next: impl Fn(), slot: &Slot, function: Function, size: u64, block: *mut c_void) {
    if let Some(taken) = sites::taken(block) {
        sites::count_freeing(slot, block, Some(taken), usable(block), By::Freeing);
    }
    timed_in_turn(next, slot, function, size);
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
            let moved = sites::Moved::before(block, usable);
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

/// The size in bytes of a block that this function has made; 0 for NULL, and where nobody can tell.
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

/// Does what is due at a block that was made. Returns the block. Most often it is nothing: what makes and frees by turns comes here
/// once in some kilobytes.
#[inline(never)]
fn settle_making(
    slot: &Slot,
    function: Function,
    size: u64,
    block: *mut c_void,
    bytes: u64,
) -> *mut c_void {
    match slot.counters.settle_making() {
        Due::Nothing => block,
        Due::Publishing => {
            publish(slot);
            block
        }
        Due::Sample => count_sample(slot, function, size, block, bytes),
    }
}

/// Counts a block at its site if it is a sample, and before what is live may be at its peak. Returns the block.
#[cold]
#[inline(never)]
fn count_sample(
    slot: &Slot,
    function: Function,
    size: u64,
    block: *mut c_void,
    bytes: u64,
) -> *mut c_void {
    if !block.is_null() && slot.counters.has_passed_sample() {
        sites::count_sample(slot, function, size, block, bytes);
    }
    publish(slot);
    block
}

/// Does what is due after a block was freed.
#[inline(never)]
fn settle_freeing(slot: &Slot) {
    if slot.counters.settle_freeing() {
        publish(slot);
    }
}

/// Brings the total of what is live up to date.
#[inline(never)]
fn publish(slot: &Slot) {
    if region::has(slot)
        && let Some(header) = process::header()
    {
        inheritance::catch_up(header);
        slot.counters.publish(&header.heap);
        sites::mark_peak();
    }
}

/// Allocates memory for the C library while it works for Weir. Sizes are in bytes. Returns NULL, with ENOMEM, if that
/// fails.
fn from_arena(size: Option<usize>, align: usize) -> *mut c_void {
    let block = size.map_or(ptr::null_mut(), |size| arena::allocate(size, align));
    if block.is_null() {
        sys::set_errno(libc::ENOMEM);
    }
    block
}

/// Resizes a block of the arena: makes a new block, by the program's allocator unless the call is Weir's own.
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
