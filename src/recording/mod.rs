//! How a call is recorded: counted, timed where that is due, and passed on.
//!
//! Each of [`allocate`], [`resize`], [`release`], [`Call::make`] and [`buffered()`] has a hot path for a thread that
//! has its slot, which is inlined into the hook, and a cold one for all others. The real function is
//! called with nothing held: no guard (but see [`thread`]), no lock, no destructor, so
//! that it may block, be cancelled or be left by a jump. What is known before the call is counted
//! before it.

mod buffered;
mod heap;
mod io;
pub mod returns;
pub mod stdio_returns;
mod two_phases;

use weir_record::clock;
use weir_record::counter::{Adder, Alone, Shared};
use weir_record::functions::Function;
use weir_record::slot::{Counters, Slot};

use crate::life::{
    attach::{self, Target},
    start, writer,
};
use crate::linking::next;
use crate::{region, sys, thread};

pub use buffered::buffered;
pub use heap::{allocate, is_reached, query, release, resize};
pub use io::{Call, Message, NO_FD, NO_SIZE, Vector};

/// Only counts a call, for the functions of the process's life.
pub fn count(function: Function) {
    match thread::slot() {
        Some(slot) => slot.counters.count::<Alone>(function, 0),
        None => count_unseen(function),
    }
}

#[cold]
#[inline(never)]
fn count_unseen(function: Function) {
    match attach::target() {
        Target::Own(slot) => slot.counters.count::<Alone>(function, 0),
        Target::Common(counters) => counters.count::<Shared>(function, 0),
        other => pass(other, function),
    }
}

/// Counts the failure of a call that [`count`] has counted, by `errno`.
pub fn count_failure(function: Function) {
    count_failure_of(function, sys::errno());
}

/// Counts the failure of a call that [`count`] has counted, by this errno.
pub fn count_failure_of(function: Function, errno: i32) {
    let failed = Outcome::Failed(errno);
    match thread::slot() {
        Some(slot) => settle::<Alone>(&slot.counters, function, failed),
        None => {
            if let Target::Common(counters) = attach::target() {
                settle::<Shared>(counters, function, failed);
            }
        }
    }
}

/// The bytes that calls of a function by this thread have moved so far; none where they are not counted by themselves.
#[inline(always)]
fn moved_by_this_thread(function: Function) -> Option<u64> {
    thread::slot().map(|slot| slot.counters.of(function).moved_bytes.get())
}

/// The slot that a call counts into; else what there is in its place.
#[inline(always)]
fn slot_or_target() -> Result<&'static Slot, Target> {
    match thread::slot() {
        Some(slot) => Ok(slot),
        None => match attach::target() {
            Target::Own(slot) => Ok(slot),
            other => Err(other),
        },
    }
}

/// How an I/O call ended.
#[derive(Clone, Copy)]
pub enum Outcome {
    /// It moved so many bytes.
    Bytes(u64),
    /// It moved so many bytes, and failed with this errno to move more.
    Short(u64, i32),
    /// It moved an offset to there.
    At(u64),
    /// It failed, with this errno.
    Failed(i32),
}

impl Outcome {
    /// The bytes that were moved.
    #[inline(always)]
    fn moved(self) -> u64 {
        match self {
            Outcome::Bytes(bytes) | Outcome::Short(bytes, _) => bytes,
            Outcome::At(_) | Outcome::Failed(_) => 0,
        }
    }
}

/// Times a call whose turn it is. Not inlined: the untimed path needs its registers, and so `next` stands first, whose
/// argument is the program's first.
#[inline(never)]
fn timed<T>(next: impl Fn() -> T, slot: &Slot, function: Function, size: u64) -> T {
    slot.countdown.restart();
    let began_ticks = clock::ticks();
    let result = next();
    let took_ticks = clock::ticks().wrapping_sub(began_ticks);
    let sample = slot.time(function, began_ticks, took_ticks, size, NO_FD);
    slot.ring.push(sample, writer::crowded);
    result
}

#[inline(always)]
fn settle<A: Adder>(counters: &Counters, function: Function, outcome: Outcome) {
    match outcome {
        Outcome::Bytes(bytes) => A::add(&counters.of(function).moved_bytes, bytes),
        Outcome::At(_) => {}
        Outcome::Short(bytes, errno) => {
            A::add(&counters.of(function).moved_bytes, bytes);
            settle_failure::<A>(counters, function, errno);
        }
        Outcome::Failed(errno) => settle_failure::<A>(counters, function, errno),
    }
}

#[cold]
#[inline(never)]
fn settle_failure<A: Adder>(counters: &Counters, function: Function, errno: i32) {
    A::add(&counters.of(function).errors, 1);
    counters.errnos.count::<A>(function, errno);
}

/// Notes a call that is not the program's own, or that nothing can be counted into, and sees to it that it can be
/// passed on.
fn pass(target: Target, function: Function) {
    next::ensure(function);
    match target {
        Target::Ours(Some(slot)) => slot.counters.of(function).reentrant.add(1),
        Target::Ours(None) => {
            if let Some(common) = region::common() {
                common.of(function).reentrant.add_shared(1);
            }
        }
        _ => start::count_uncounted(),
    }
}
