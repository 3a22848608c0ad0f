//! Calls that do I/O.

use std::ffi::c_int;

use weir_record::clock;
use weir_record::counter::{Alone, Shared};
use weir_record::functions::Function;
use weir_record::slot::Slot;

use super::{Outcome, pass, settle};
use crate::thread::{Guard, Target};
use crate::{sys, thread, writer};

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
    slot.ring.push(sample, writer::crowded);
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
