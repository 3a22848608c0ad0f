//! How a call is recorded: counted, timed where that is due, and passed on.
//!
//! Each of [`allocate`], [`resize`], [`release`] and [`transfer`] has a hot path for a thread that has
//! its slot, which is inlined into the hook, and a cold one for all others. The real function is
//! called with nothing held: no guard (but see [`thread`](crate::thread)), no lock, no destructor, so that it may block, be
//! cancelled or be left by a jump. What is known before the call is counted before it.

use std::ffi::{c_int, c_void};
use std::ptr;

use weir_record::clock;
use weir_record::counter::{Adder, Alone, Shared};
use weir_record::functions::Function;
use weir_record::slot::{Counters, Slot};

use crate::thread::{Guard, Target};
use crate::{arena, image, next, sys, thread, writer};

/// No descriptor.
const NO_FD: c_int = -1;

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
        timed_allocation(slot, function, requested, next)
    } else {
        next()
    };
    if block.is_null() {
        slot.counters.of(function).errors.add(1);
    } else if slot.counters.grow(usable(block)) {
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
    let counters = match thread::target() {
        Target::Own(slot) => return allocate_into(slot, function, size, next),
        Target::Common(counters) => counters,
        Target::Guarded(Guard::Ours, _) => return from_arena(size, align),
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
        timed_allocation(slot, function, requested, next)
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
    let counters = match thread::target() {
        Target::Own(slot) => return resize_into(slot, function, block, size, next),
        Target::Common(counters) => counters,
        Target::Guarded(Guard::Ours, _) if block.is_null() => return from_arena(size, 1),
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
    } else if slot.counters.shrink(usable(block)) {
        publish(slot);
    }
    if slot.countdown.due() {
        timed_allocation(slot, function, size as u64, || {
            next();
            ptr::null_mut()
        });
    } else {
        next();
    }
}

#[cold]
#[inline(never)]
fn release_unseen(function: Function, block: *mut c_void, size: usize, next: impl Fn() + Copy) {
    match thread::target() {
        Target::Own(slot) => return release_into(slot, function, block, size, next),
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
        Some(slot) => slot.counters.count::<Alone>(function, 0),
        None => count_unseen(function),
    }
    next()
}

#[cold]
#[inline(never)]
fn count_unseen(function: Function) {
    match thread::target() {
        Target::Own(slot) => slot.counters.count::<Alone>(function, 0),
        Target::Common(counters) => counters.count::<Shared>(function, 0),
        other => pass(other, function),
    }
}

/// Counts a call of which nothing else is to be known, for the functions of the process's life.
pub fn count(function: Function) {
    match thread::slot() {
        Some(slot) => slot.counters.count::<Alone>(function, 0),
        None => count_unseen(function),
    }
}

/// Counts the failure of a call that [`count`] has counted, by `errno`.
pub fn count_failure(function: Function) {
    let failed = Outcome::Failed(sys::errno());
    match thread::slot() {
        Some(slot) => settle::<Alone>(&slot.counters, function, failed),
        None => {
            if let Target::Common(counters) = thread::target() {
                settle::<Shared>(counters, function, failed);
            }
        }
    }
}

/// What an I/O call returns.
pub trait Returned: Copy {
    /// The bytes that it moved; None where it failed.
    fn moved(self) -> Option<u64>;
}

impl Returned for isize {
    #[inline(always)]
    fn moved(self) -> Option<u64> {
        u64::try_from(self).ok()
    }
}

impl Returned for c_int {
    #[inline(always)]
    fn moved(self) -> Option<u64> {
        (self >= 0).then_some(0)
    }
}

impl Returned for i64 {
    #[inline(always)]
    fn moved(self) -> Option<u64> {
        (self >= 0).then_some(0)
    }
}

/// The size that an I/O call asks for.
pub trait Requested: Copy {
    /// The size where it is known before the call.
    fn before(self) -> Option<u64>;
    /// The size where only the call shows that the memory which holds it may be read.
    fn after(self, result: Outcome) -> Option<u64>;
}

/// Nothing is asked for, or so many bytes.
impl Requested for usize {
    #[inline(always)]
    fn before(self) -> Option<u64> {
        Some(self as u64)
    }

    #[inline(always)]
    fn after(self, _: Outcome) -> Option<u64> {
        None
    }
}

/// How an I/O call ended.
#[derive(Clone, Copy)]
pub enum Outcome {
    /// It moved so many bytes.
    Bytes(u64),
    /// It failed, with this errno.
    Failed(i32),
}

/// Records an I/O call.
#[inline(always)]
pub fn transfer<R: Returned>(
    function: Function,
    fd: c_int,
    size: impl Requested,
    next: impl Fn() -> R + Copy,
) -> R {
    match thread::slot() {
        Some(slot) => transfer_into(slot, function, fd, size, next),
        None => transfer_unseen(function, fd, size, next),
    }
}

#[inline(always)]
fn transfer_into<R: Returned>(
    slot: &Slot,
    function: Function,
    fd: c_int,
    size: impl Requested,
    next: impl Fn() -> R + Copy,
) -> R {
    let counters = &slot.counters;
    counters.of(function).calls.add(1);
    if let Some(requested) = size.before() {
        counters.count_size::<Alone>(function, requested);
    }
    if slot.countdown.is_off() {
        let result = next();
        let outcome = outcome(result);
        if let Some(requested) = size.after(outcome) {
            counters.count_size::<Alone>(function, requested);
        }
        settle::<Alone>(counters, function, outcome);
        return result;
    }
    let began_ticks = clock::ticks();
    let result = next();
    let took_ticks = clock::ticks().wrapping_sub(began_ticks);
    let outcome = outcome(result);
    let mut requested = size.before();
    if let Some(size) = size.after(outcome) {
        counters.count_size::<Alone>(function, size);
        requested = Some(size);
    }
    let size = requested.unwrap_or(0);
    let sample = slot.time(function, began_ticks, took_ticks, size, fd);
    slot.ring.push(sample, writer::start_unless_in_handler);
    settle::<Alone>(counters, function, outcome);
    result
}

#[cold]
#[inline(never)]
fn transfer_unseen<R: Returned>(
    function: Function,
    fd: c_int,
    size: impl Requested,
    next: impl Fn() -> R + Copy,
) -> R {
    let counters = match thread::target() {
        Target::Own(slot) => return transfer_into(slot, function, fd, size, next),
        // No allocation function does I/O: a signal handler of the program interrupted one.
        Target::Guarded(Guard::Nested, Some(slot)) => {
            return transfer_into(slot, function, fd, size, next);
        }
        Target::Common(counters) => counters,
        other => {
            pass(other, function);
            return next();
        }
    };
    counters.of(function).calls.add_shared(1);
    let result = next();
    let outcome = outcome(result);
    if let Some(requested) = size.before().or(size.after(outcome)) {
        counters.count_size::<Shared>(function, requested);
    }
    settle::<Shared>(counters, function, outcome);
    result
}

#[inline(always)]
fn outcome(result: impl Returned) -> Outcome {
    match result.moved() {
        Some(bytes) => Outcome::Bytes(bytes),
        None => Outcome::Failed(sys::errno()),
    }
}

#[inline(always)]
fn settle<A: Adder>(counters: &Counters, function: Function, outcome: Outcome) {
    match outcome {
        Outcome::Bytes(bytes) => A::add(&counters.of(function).moved_bytes, bytes),
        Outcome::Failed(errno) => settle_failure::<A>(counters, function, errno),
    }
}

#[cold]
#[inline(never)]
fn settle_failure<A: Adder>(counters: &Counters, function: Function, errno: i32) {
    A::add(&counters.of(function).errors, 1);
    counters.errnos.count::<A>(function, errno);
}

/// Times an allocation call whose turn it is. Not inlined: the untimed path needs its registers.
#[inline(never)]
fn timed_allocation(
    slot: &Slot,
    function: Function,
    size: u64,
    next: impl Fn() -> *mut c_void + Copy,
) -> *mut c_void {
    slot.countdown.restart();
    let began_ticks = clock::ticks();
    let block = next();
    let took_ticks = clock::ticks().wrapping_sub(began_ticks);
    let sample = slot.time(function, began_ticks, took_ticks, size, NO_FD);
    slot.ring.push(sample, writer::start);
    block
}

/// Notes a call that is not the program's own, or that nothing can be counted into.
fn pass(target: Target, function: Function) {
    match target {
        Target::Guarded(_, Some(slot)) => slot.counters.of(function).reentrant.add(1),
        Target::Guarded(_, None) => {
            if let Some(header) = image::header() {
                header.common.of(function).reentrant.add_shared(1);
            }
        }
        _ => image::count_uncounted(),
    }
}

/// The size of a block as its allocator sees it; 0 for NULL.
#[inline(always)]
fn usable(block: *mut c_void) -> u64 {
    // SAFETY: a block of the allocator behind us, which is live, or NULL.
    unsafe { next::malloc_usable_size(block) as u64 }
}

#[cold]
#[inline(never)]
fn publish(slot: &Slot) {
    if let Some(header) = image::header() {
        slot.counters.publish(&header.heap);
    }
}

/// Adds to the live bytes of the common counters, and of the heap.
fn move_common(counters: &Counters, bytes: u64) {
    counters.live_bytes.add_shared(bytes);
    if let Some(header) = image::header() {
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
