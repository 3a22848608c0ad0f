//! How a call is recorded: counted, timed if that is due, and passed to the next function.
//!
//! Each of [`allocate`], [`resize`], [`release`], [`Call::make`] and [`buffered()`] has two paths. The hot path is for
//! a thread that has its slot, and is inlined into the hook; the cold path is for all others. Nothing is held across
//! the real call: no guard (with an exception that [`thread`] explains), no lock, no destructor. So the call may block,
//! be cancelled, or be left by a jump. What is known before the call is counted before it.

mod block_sites;
mod buffered;
mod heap;
mod io;
pub mod returns;
mod sites;
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

/// Where [`count`] has counted a call. Its failure is counted there and nowhere else: in the child of a signal handler that forks
/// in the middle of the call, what the thread would look up is another image's.
#[derive(Clone, Copy)]
pub enum Counted {
    /// In the thread's own counters.
    Own(&'static Counters),
    /// In those of all threads without a slot.
    Common(&'static Counters),
    /// Nowhere.
    Nowhere,
}

/// Counts a call, and neither makes nor times it.
pub fn count(function: Function) -> Counted {
    count_request(function, 0)
}

/// The same for a call that asks for so many bytes.
#[inline(always)]
pub fn count_request(function: Function, bytes: u64) -> Counted {
    match thread::slot() {
        Some(slot) => {
            count_in::<Alone>(&slot.counters, function, bytes);
            Counted::Own(&slot.counters)
        }
        None => count_unseen(function, bytes),
    }
}

#[cold]
#[inline(never)]
fn count_unseen(function: Function, bytes: u64) -> Counted {
    match attach::target() {
        Target::Own(slot) => {
            count_in::<Alone>(&slot.counters, function, bytes);
            Counted::Own(&slot.counters)
        }
        Target::Common(counters) => {
            count_in::<Shared>(counters, function, bytes);
            Counted::Common(counters)
        }
        other => {
            pass(other, function);
            Counted::Nowhere
        }
    }
}

impl Counted {
    /// Counts the call's failure, by the current `errno`.
    pub fn failed(self, function: Function) {
        self.failed_by(function, sys::errno());
    }

    /// Counts the call's failure, by the given errno.
    pub fn failed_by(self, function: Function, errno: i32) {
        match self {
            Counted::Own(counters) => settle_failure::<Alone>(counters, function, errno),
            Counted::Common(counters) => settle_failure::<Shared>(counters, function, errno),
            Counted::Nowhere => {}
        }
    }
}

/// Counts a call and, where the function has one, the size that it asks for in bytes.
#[inline(always)]
fn count_in<A: Adder>(counters: &Counters, function: Function, requested: u64) {
    A::add(&counters.of(function).calls, 1);
    count_size_in::<A>(counters, function, requested);
}

/// Counts the size in bytes that a call asked for, where the function has one.
#[inline(always)]
fn count_size_in<A: Adder>(counters: &Counters, function: Function, requested: u64) {
    if !counters.count_size::<A>(function, requested) {
        region::count_seldom_size(counters, function, requested);
    }
}

/// How many bytes the calling thread's calls of a function have moved so far. `None` if the thread has no visible slot.
#[inline(always)]
fn moved_by_this_thread(function: Function) -> Option<u64> {
    thread::slot().map(|slot| slot.counters.of(function).moved_bytes.get())
}

/// The slot that a call counts into, or what is used instead.
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
    /// It moved this many bytes.
    Bytes(u64),
    /// It moved this many bytes, and then failed with this errno.
    Short(u64, i32),
    /// It set a file's offset to this number of bytes.
    At(u64),
    /// It failed with this errno.
    Failed(i32),
}

impl Outcome {
    /// How many bytes were moved.
    #[inline(always)]
    fn moved(self) -> u64 {
        match self {
            Outcome::Bytes(bytes) | Outcome::Short(bytes, _) => bytes,
            Outcome::At(_) | Outcome::Failed(_) => 0,
        }
    }

    /// Whether the call failed, if only to move more.
    #[inline(always)]
    fn has_failed(self) -> bool {
        matches!(self, Outcome::Failed(_) | Outcome::Short(..))
    }
}

/// Makes a call that is due, and times it if it is its turn. Where every call is due, [`Countdown::last_took`] has its time afterwards.
/// Not inlined, because the untimed path needs its registers. `next` is the first parameter, because it holds the program's first
/// argument.
///
/// [`Countdown::last_took`]: weir_record::countdown::Countdown::last_took
#[inline(never)]
fn timed<T>(next: impl Fn() -> T, slot: &Slot, function: Function, size: u64) -> T {
    if !slot.countdown.restart() && !slot.countdown.is_to_be_timed() {
        // Before the call: to take little of the stack.
        slot.countdown.set_last_took(0);
        return next();
    }
    let (result, took_ticks) = timed_now(next, slot, function, size);
    slot.countdown.set_last_took(took_ticks);
    result
}

/// Makes a call and times it. The result, and how many ticks it took.
#[inline(always)]
fn timed_now<T>(next: impl Fn() -> T, slot: &Slot, function: Function, size: u64) -> (T, u64) {
    let began_ticks = clock::ticks();
    let result = next();
    let took_ticks = clock::ticks().wrapping_sub(began_ticks);
    let sample = slot.time(function, began_ticks, took_ticks, size, NO_FD);
    slot.ring.push(sample, writer::crowded);
    (result, took_ticks)
}

/// Makes a call where every call is due, and times it if it is its turn. The result, and how many ticks it took; 0 if it was not
/// timed.
#[inline(always)]
fn timed_in_turn<T>(next: impl Fn() -> T, slot: &Slot, function: Function, size: u64) -> (T, u64) {
    if slot.countdown.is_to_be_timed() {
        timed_now(next, slot, function, size)
    } else {
        (next(), 0)
    }
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

/// Counts a call that is not the program's, or for which there are no counters. Makes sure that the next function is
/// found, so that the call can be passed on.
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
