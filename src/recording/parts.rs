//! Calls that are made in two parts: the wait and the transfer.
//!
//! Between the two a coroutine may move to another thread. So each side finds the thread's slot by itself, in a
//! function that is not inlined, where no address of the thread's can have been kept; and what is known of the
//! call stands on its stack, which goes with it.

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
        let parts = Parts::new(way);
        let errno_before = sys::errno();
        let began_ticks = sys::ticks();
        let result = performed(&parts, perform);
        let took_ticks = sys::ticks().wrapping_sub(began_ticks);
        let outcome = judge(result);
        // A try that failed has left its errno, also where the call then went well.
        let errno = match outcome {
            Outcome::Failed(_) | Outcome::Short(..) => sys::errno(),
            Outcome::Bytes(_) | Outcome::At(_) => errno_before,
        };
        let end = Ended {
            outcome,
            began_ticks,
            took_ticks,
            wait_ticks: parts.wait_ticks().min(took_ticks),
            has_waited: parts.has_waited(),
        };
        let by = self.record_parts(&end);
        then(result);
        self.count_parts_of_files(&end, by, link);
        if coop::has_runtime() {
            coop::count_call(outcome.moved(), end.has_waited, end.wait_ticks);
        }
        sys::set_errno(errno);
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

    /// Records what came of the call. The slot of the calling thread, as a number; 0 where there is none.
    #[inline(never)]
    fn record_parts(&self, end: &Ended) -> u64 {
        let after = self.size.after(end.outcome);
        let requested = self.size.before().or(after);
        match slot_of_io() {
            Ok(slot) => {
                slot.in_flight.end();
                if let Some(requested) = requested {
                    slot.counters.count_size::<Alone>(self.function, requested);
                }
                if !slot.countdown.is_off() {
                    self.push_parts(slot, end, requested.unwrap_or(0));
                }
                settle::<Alone>(&slot.counters, self.function, end.outcome);
                std::ptr::from_ref::<Slot>(slot).addr() as u64
            }
            Err(Target::Common(counters)) => {
                if let Some(requested) = requested {
                    counters.count_size::<Shared>(self.function, requested);
                }
                settle::<Shared>(counters, self.function, end.outcome);
                0
            }
            Err(_) => 0,
        }
    }

    /// Hands over how long the call took, and each part of it.
    fn push_parts(&self, slot: &Slot, end: &Ended, requested: u64) {
        let Ended {
            began_ticks,
            took_ticks,
            wait_ticks,
            ..
        } = *end;
        let sample = slot.time(self.function, began_ticks, took_ticks, requested, self.fd);
        slot.ring.push(sample, writer::crowded);
        let transfer_ticks = took_ticks - wait_ticks;
        for sample in slot.time_parts(self.function, end.has_waited, wait_ticks, transfer_ticks) {
            slot.ring.push(sample, writer::crowded);
        }
    }

    /// Counts the call, and its parts, for what it is about.
    #[inline(never)]
    fn count_parts_of_files(&self, end: &Ended, by: u64, link: u32) {
        self.count_files(
            false,
            by,
            link,
            end.outcome,
            end.began_ticks,
            end.took_ticks,
        );
        self.count_waits_of_files(end);
    }

    /// Counts its parts for what it has waited for.
    #[inline(never)]
    fn count_waits_of_files(&self, end: &Ended) {
        // What is sent from a file waits for what it goes to.
        let is_for_other = self.to >= 0 && !coop::is_waitable(self.file);
        let waited_for = if is_for_other { self.to } else { self.file };
        files::count_parts(waited_for, end.wait_ticks, end.took_ticks - end.wait_ticks);
    }
}

/// How a call ended that was made in parts.
struct Ended {
    outcome: Outcome,
    began_ticks: u64,
    took_ticks: u64,
    /// How much of that it waited.
    wait_ticks: u64,
    has_waited: bool,
}

/// What a call in parts does. Not inlined: what it needs of the stack is free again when the call is recorded, and a signal
/// handler's stack may be small.
#[inline(never)]
fn performed<R>(parts: &Parts, perform: impl Fn(&Parts) -> R) -> R {
    perform(parts)
}
