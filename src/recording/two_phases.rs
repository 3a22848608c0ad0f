//! Calls that are made in two parts: the wait and the transfer.
//!
//! Between the two parts a coroutine may move to another thread. So each side looks up the thread's slot again, in a
//! function that is not inlined: no address of the old thread can be kept in a register there. What is known of the
//! call is on the coroutine's stack, which moves with it.
//!
//! That stack may be small, and a wait needs the most of it. So the frames above a wait keep only what they need: the
//! arguments, and [`TwoPhaseCall`]. Everything else is done before or after the wait, in functions whose frames are
//! gone by then.

use weir_record::counter::{Alone, Shared};
use weir_record::slot::Slot;

use super::io::{Requested, Subject, requested};
use super::{Call, Outcome, count_size_in, settle, sites, slot_or_target};
use crate::coop::{self, TwoPhaseCall, WaitMode};
use crate::life::attach::Target;
use crate::life::{start, writer};
use crate::{files, sys};

impl<S: Requested> Call<S> {
    /// Called before the call is made. If the call may have to wait, returns how it waits. `None` if it has only one
    /// part: then [`Call::make`] makes it.
    #[inline(always)]
    pub fn begin_two_phases(&self) -> Option<WaitMode> {
        self.subject().wait_mode()
    }

    /// Makes and records a call that waits in the way that [`Call::begin_two_phases`] has said. It does what
    /// [`Call::make`] does, but `perform` makes the call in two parts.
    #[inline(always)]
    pub fn in_two_phases<R: Copy>(
        self,
        way: WaitMode,
        judge: impl Fn(R) -> Outcome,
        then: impl Fn(R),
        perform: impl Fn(&TwoPhaseCall) -> R,
    ) -> R {
        // First: from here on it is known in a child of fork that the call is its parent's.
        let parts = TwoPhaseCall::new(way);
        let subject = self.subject();
        subject.begin(way);
        let asked = self.size.bytes();
        let result = performed(&parts, perform);
        let outcome = judge(result);
        let requested = requested::<S>(asked, outcome);
        subject.record(&parts, &outcome, requested);
        subject.push(&parts, requested);
        if sites::may_count() && parts.is_of_this_image() {
            // From here, because it takes some of the stack.
            sites::count_call(
                slot_or_target().ok(),
                sites::called(
                    subject.function,
                    subject.file.cast_unsigned(),
                    outcome.has_failed(),
                ),
                requested,
                parts.took_ticks(),
                outcome.moved(),
                outcome.has_failed(),
            );
        }
        then(result);
        subject.count_for_files(&parts, &outcome);
        subject.count_parts(&parts, &outcome);
        result
    }
}

impl Subject {
    /// Whether the call may have to wait: not if all its descriptors are those of files.
    fn can_wait(self) -> bool {
        let ends = [self.file, self.to];
        let mut open = ends.into_iter().filter(|&fd| fd >= 0).peekable();
        open.peek().is_none() || open.any(coop::is_waitable)
    }

    /// How the call waits, if it is to be made in two parts.
    #[inline(never)]
    fn wait_mode(self) -> Option<WaitMode> {
        let way = coop::wait_mode()?;
        if !self.can_wait() {
            return None;
        }
        match slot_or_target() {
            // The call has two parts, even if nothing can count it.
            Ok(_) | Err(Target::Common(_) | Target::Nothing) => Some(way),
            Err(Target::Own(_) | Target::Ours(_)) => None,
        }
    }

    /// Counts the call.
    #[inline(never)]
    fn begin(self, way: WaitMode) {
        match slot_or_target() {
            Ok(slot) => {
                slot.counters.of(self.function).calls.add(1);
                // A coroutine's thread makes other calls during its wait, so only a waiting thread shows its call in
                // flight.
                if let WaitMode::Thread = way {
                    let is_timed = !slot.countdown.is_off();
                    let began_ticks = if is_timed { sys::ticks() } else { 0 };
                    // Its stack is taken after it.
                    slot.set_in_flight_leaf(0);
                    slot.in_flight.begin(self.function, self.file, began_ticks);
                }
            }
            Err(Target::Common(counters)) => _ = counters.of(self.function).calls.add_shared(1),
            Err(_) => start::count_uncounted(),
        }
    }

    /// Records the result of the call. Keeps `errno` for the program if the call failed.
    #[inline(never)]
    fn record(self, parts: &TwoPhaseCall, outcome: &Outcome, requested: u64) {
        // Only then: a failed try has changed `errno`, even if the call then succeeded.
        if let Outcome::Failed(_) | Outcome::Short(..) = *outcome {
            parts.keep_errno();
        }
        if !parts.is_of_this_image() {
            return;
        }
        match slot_or_target() {
            Ok(slot) => {
                slot.in_flight.end();
                count_size_in::<Alone>(&slot.counters, self.function, requested);
                settle::<Alone>(&slot.counters, self.function, *outcome);
            }
            Err(Target::Common(counters)) => {
                count_size_in::<Shared>(counters, self.function, requested);
                settle::<Shared>(counters, self.function, *outcome);
            }
            Err(_) => {}
        }
    }

    /// Pushes the durations of the call and of each part into the ring, if calls are timed. A function of its own,
    /// because it may drain the ring.
    #[inline(never)]
    fn push(self, parts: &TwoPhaseCall, requested: u64) {
        let Some(slot) = slot_or_target()
            .ok()
            .filter(|slot| !slot.countdown.is_off() && parts.is_of_this_image())
        else {
            return;
        };
        let (began_ticks, took_ticks) = (parts.began_ticks(), parts.took_ticks());
        let sample = slot.time(self.function, began_ticks, took_ticks, requested, self.file);
        slot.ring.push(sample, writer::crowded);
        let wait_ticks = parts.wait_ticks();
        for sample in slot.time_parts(
            self.function,
            parts.has_waited(),
            wait_ticks,
            took_ticks - wait_ticks,
        ) {
            slot.ring.push(sample, writer::crowded);
        }
    }

    /// Counts the call for its files.
    #[inline(never)]
    fn count_for_files(self, parts: &TwoPhaseCall, outcome: &Outcome) {
        if !parts.is_of_this_image() {
            return;
        }
        let slot = match slot_or_target() {
            Ok(slot) => std::ptr::from_ref::<Slot>(slot).addr() as u64,
            Err(_) => 0,
        };
        let times = [parts.began_ticks(), parts.took_ticks()];
        self.count(None, files::UNKNOWN, slot, outcome, times);
    }

    /// Counts the call's parts for its file, and all of the call for its coroutine. Sets the `errno` that the program
    /// gets.
    #[inline(never)]
    fn count_parts(self, parts: &TwoPhaseCall, outcome: &Outcome) {
        let (wait_ticks, took_ticks) = (parts.wait_ticks(), parts.took_ticks());
        // If the source is a file, the call waits for its target.
        let is_for_other = self.to >= 0 && !coop::is_waitable(self.file);
        let waited_for = if is_for_other { self.to } else { self.file };
        if parts.is_of_this_image() {
            files::count_parts(waited_for, wait_ticks, took_ticks - wait_ticks);
            if coop::has_runtime() {
                coop::count_call(outcome.moved(), parts.has_waited(), wait_ticks);
            }
        }
        sys::set_errno(parts.errno());
    }
}

/// Makes a call in two parts. Not inlined: its part of the stack must be free when the call is recorded, because a
/// signal handler's stack may be small.
#[inline(never)]
fn performed<R>(parts: &TwoPhaseCall, perform: impl Fn(&TwoPhaseCall) -> R) -> R {
    let result = perform(parts);
    parts.end();
    result
}
