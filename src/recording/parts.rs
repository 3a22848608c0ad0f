//! Calls that are made in two parts: the wait and the transfer.
//!
//! Between the two a coroutine may move to another thread. So each side finds the thread's slot by itself, in a
//! function that is not inlined, where no address of the thread's can have been kept; and what is known of the
//! call stands on its stack, which goes with it.

use std::ffi::c_int;

use weir_record::counter::{Alone, Shared};
use weir_record::slot::Slot;

use super::io::Requested;
use super::{Call, Outcome, settle, slot_of_io};
use crate::coop::{self, Parts, Way};
use crate::thread::Target;
use crate::{files, image, sys, writer};

impl<S: Requested> Call<S> {
    /// Makes the call as [`Call::make`] does; where it may have to wait, by `perform`, which tells how long it did.
    #[inline(always)]
    pub fn make_waiting<R: Copy>(
        self,
        judge: impl Fn(R) -> Outcome,
        next: impl Fn() -> R,
        then: impl Fn(R),
        perform: impl Fn(&Parts) -> R,
    ) -> R {
        if coop::is_on()
            && let Some(way) = coop::way()
            && self.can_wait()
            && let Some(link) = self.begin_parts(way)
        {
            return self.make_in_parts(way, link, judge, then, perform);
        }
        self.make(judge, next, then)
    }

    /// The same as the whole of a function that is called where [`coop::is_on`].
    #[inline(always)]
    pub fn make_parted<R: Copy>(
        self,
        judge: impl Fn(R) -> Outcome,
        next: impl Fn() -> R,
        then: impl Fn(R),
        perform: impl Fn(&Parts) -> R,
    ) -> R {
        if let Some(way) = coop::way()
            && self.can_wait()
            && let Some(link) = self.begin_parts(way)
        {
            return self.in_parts(way, link, judge, then, perform);
        }
        self.make_whole(judge, next, then)
    }

    #[inline(never)]
    fn make_whole<R: Copy>(
        self,
        judge: impl Fn(R) -> Outcome,
        next: impl Fn() -> R,
        then: impl Fn(R),
    ) -> R {
        self.make(judge, next, then)
    }

    /// Whether there may be anything to wait for: not where all that the call is about is files.
    fn can_wait(&self) -> bool {
        let ends = [self.file, self.to];
        let mut open = ends.into_iter().filter(|&fd| fd >= 0).peekable();
        open.peek().is_none() || open.any(coop::is_waitable)
    }

    #[cold]
    #[inline(never)]
    fn make_in_parts<R: Copy>(
        self,
        way: Way,
        link: u32,
        judge: impl Fn(R) -> Outcome,
        then: impl Fn(R),
        perform: impl Fn(&Parts) -> R,
    ) -> R {
        self.in_parts(way, link, judge, then, perform)
    }

    #[inline(always)]
    fn in_parts<R: Copy>(
        self,
        way: Way,
        link: u32,
        judge: impl Fn(R) -> Outcome,
        then: impl Fn(R),
        perform: impl Fn(&Parts) -> R,
    ) -> R {
        let mut running = Running {
            parts: Parts::new(way),
            link,
            errno: sys::errno(),
            began_ticks: sys::ticks(),
            took_ticks: 0,
            by: 0,
        };
        let result = performed(&running.parts, perform);
        running.took_ticks = sys::ticks().wrapping_sub(running.began_ticks);
        let outcome = judge(result);
        self.record_parts(&mut running, outcome);
        then(result);
        self.count_parts_of_files(&running, outcome);
        sys::set_errno(running.errno);
        result
    }

    /// Counts the call. What the descriptor leads to, where it is closed; none where the call is not the program's own.
    #[inline(never)]
    fn begin_parts(&self, way: Way) -> Option<u32> {
        match slot_of_io() {
            Ok(slot) => {
                slot.counters.of(self.function).calls.add(1);
                // While a coroutine waits, its thread is in other calls.
                if let Way::Thread = way {
                    let is_timed = !slot.countdown.is_off();
                    let began_ticks = if is_timed { sys::ticks() } else { 0 };
                    slot.in_flight.begin(self.function, self.fd, began_ticks);
                }
            }
            Err(Target::Common(counters)) => _ = counters.of(self.function).calls.add_shared(1),
            // The call waits as it would where it could be counted.
            Err(Target::Nothing) => image::count_uncounted(),
            Err(Target::Own(_) | Target::Guarded(..)) => return None,
        }
        Some(self.link_before())
    }

    /// Records what came of the call, and keeps what is to be told of it.
    #[inline(never)]
    fn record_parts(&self, running: &mut Running, outcome: Outcome) {
        // A try that failed has left its errno, also where the call then went well.
        if let Outcome::Failed(_) | Outcome::Short(..) = outcome {
            running.errno = sys::errno();
        }
        let after = self.size.after(outcome);
        let requested = self.size.before().or(after);
        match slot_of_io() {
            Ok(slot) => {
                slot.in_flight.end();
                if let Some(requested) = requested {
                    slot.counters.count_size::<Alone>(self.function, requested);
                }
                if !slot.countdown.is_off() {
                    self.push_parts(slot, running, requested.unwrap_or(0));
                }
                settle::<Alone>(&slot.counters, self.function, outcome);
                running.by = std::ptr::from_ref::<Slot>(slot).addr() as u64;
            }
            Err(Target::Common(counters)) => {
                if let Some(requested) = requested {
                    counters.count_size::<Shared>(self.function, requested);
                }
                settle::<Shared>(counters, self.function, outcome);
            }
            Err(_) => {}
        }
    }

    /// Hands over how long the call took, and each part of it.
    #[inline(never)]
    fn push_parts(&self, slot: &Slot, running: &Running, requested: u64) {
        let (began_ticks, took_ticks) = (running.began_ticks, running.took_ticks);
        let sample = slot.time(self.function, began_ticks, took_ticks, requested, self.fd);
        slot.ring.push(sample, writer::crowded);
        let wait_ticks = running.wait_ticks();
        for sample in slot.time_parts(
            self.function,
            running.parts.has_waited(),
            wait_ticks,
            took_ticks - wait_ticks,
        ) {
            slot.ring.push(sample, writer::crowded);
        }
    }

    /// Counts the call, and its parts, for what it is about, and for the coroutine that made it.
    #[inline(never)]
    fn count_parts_of_files(&self, running: &Running, outcome: Outcome) {
        self.count_files_of(running, outcome);
        let (wait_ticks, took_ticks) = (running.wait_ticks(), running.took_ticks);
        // What is sent from a file waits for what it goes to.
        let is_for_other = self.to >= 0 && !coop::is_waitable(self.file);
        let waited_for = if is_for_other { self.to } else { self.file };
        files::count_parts(waited_for, wait_ticks, took_ticks - wait_ticks);
        if coop::has_runtime() {
            coop::count_call(outcome.moved(), running.parts.has_waited(), wait_ticks);
        }
    }

    #[inline(never)]
    fn count_files_of(&self, running: &Running, outcome: Outcome) {
        self.count_files(
            false,
            running.by,
            running.link,
            outcome,
            running.began_ticks,
            running.took_ticks,
        );
    }
}

/// A call that is being made in parts. It stands on the stack of the coroutine, and nothing of a thread is in it before
/// the call has ended.
struct Running {
    parts: Parts,
    /// What the descriptor led to, where it is closed.
    link: u32,
    /// The errno that the program is to find.
    errno: c_int,
    began_ticks: u64,
    took_ticks: u64,
    /// The slot of the thread that it ended on, as a number; 0 where there is none.
    by: u64,
}

impl Running {
    /// How much of the time it waited.
    fn wait_ticks(&self) -> u64 {
        self.parts.wait_ticks().min(self.took_ticks)
    }
}

/// What a call in parts does. Not inlined: what it needs of the stack is free again when the call is recorded, and a signal
/// handler's stack may be small.
#[inline(never)]
fn performed<R>(parts: &Parts, perform: impl Fn(&Parts) -> R) -> R {
    perform(parts)
}
