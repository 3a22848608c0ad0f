//! Calls that are made in two parts: the wait and the transfer.
//!
//! Between the two a coroutine may move to another thread. So each side finds the thread's slot by itself, in a
//! function that is not inlined, where no address of the thread's can have been kept; and what is known of the
//! call stands on its stack, which goes with it.
//!
//! That stack may be small, and a wait is as deep in it as can be. So what is above a wait keeps no more than it has to:
//! the arguments, and [`TwoPhaseCall`]. All else is done before or after it, in functions whose frames are gone meanwhile.

use weir_record::counter::{Alone, Shared};
use weir_record::slot::Slot;

use super::io::{Requested, Subject};
use super::{Call, Outcome, settle, slot_or_target};
use crate::coop::{self, TwoPhaseCall, WaitMode};
use crate::life::attach::Target;
use crate::life::{start, writer};
use crate::{files, sys};

impl<S: Requested> Call<S> {
    /// The call is about to be made. If it may have to wait, counts it, and returns how it waits. None if the call needs
    /// no parts, and is made by [`Call::make`].
    #[inline(always)]
    pub fn begin_two_phases(&self) -> Option<WaitMode> {
        self.subject().begin()
    }

    /// Makes a call that [`Call::begin_two_phases`] has counted, as [`Call::make`] does, but by `perform`, which returns how long
    /// it waited.
    #[inline(always)]
    pub fn in_two_phases<R: Copy>(
        self,
        way: WaitMode,
        judge: impl Fn(R) -> Outcome,
        then: impl Fn(R),
        perform: impl Fn(&TwoPhaseCall) -> R,
    ) -> R {
        let parts = TwoPhaseCall::new(way);
        let result = performed(&parts, perform);
        let outcome = judge(result);
        let requested = self.size.before().or_else(|| self.size.after(outcome));
        let subject = self.subject();
        let requested = requested.unwrap_or(0);
        subject.record(&parts, outcome, requested);
        subject.push(&parts, requested);
        then(result);
        subject.count_for_files(&parts, &outcome);
        subject.count_parts(&parts, &outcome);
        result
    }
}

impl Subject {
    /// Whether there may be anything to wait for: not where all that the call is about is files.
    fn can_wait(self) -> bool {
        let ends = [self.file, self.to];
        let mut open = ends.into_iter().filter(|&fd| fd >= 0).peekable();
        open.peek().is_none() || open.any(coop::is_waitable)
    }

    /// Counts the call, where it is to be made in parts.
    #[inline(never)]
    fn begin(self) -> Option<WaitMode> {
        let way = coop::wait_mode()?;
        if !self.can_wait() {
            return None;
        }
        match slot_or_target() {
            Ok(slot) => {
                slot.counters.of(self.function).calls.add(1);
                // While a coroutine waits, its thread is in other calls.
                if let WaitMode::Thread = way {
                    let is_timed = !slot.countdown.is_off();
                    let began_ticks = if is_timed { sys::ticks() } else { 0 };
                    slot.in_flight.begin(self.function, self.file, began_ticks);
                }
            }
            Err(Target::Common(counters)) => _ = counters.of(self.function).calls.add_shared(1),
            // The call waits as it would where it could be counted.
            Err(Target::Nothing) => start::count_uncounted(),
            Err(Target::Own(_) | Target::Ours(_)) => return None,
        }
        Some(way)
    }

    /// Records the result of the call, and keeps what the report needs of it.
    #[inline(never)]
    fn record(self, parts: &TwoPhaseCall, outcome: Outcome, requested: u64) {
        // A try that failed has left its errno, also where the call then went well.
        if let Outcome::Failed(_) | Outcome::Short(..) = outcome {
            parts.keep_errno();
        }
        match slot_or_target() {
            Ok(slot) => {
                slot.in_flight.end();
                slot.counters.count_size::<Alone>(self.function, requested);
                settle::<Alone>(&slot.counters, self.function, outcome);
            }
            Err(Target::Common(counters)) => {
                counters.count_size::<Shared>(self.function, requested);
                settle::<Shared>(counters, self.function, outcome);
            }
            Err(_) => {}
        }
    }

    /// Hands over how long the call took, and each part of it, where it is timed. By itself: the ring may have to be drained.
    #[inline(never)]
    fn push(self, parts: &TwoPhaseCall, requested: u64) {
        let Some(slot) = slot_or_target()
            .ok()
            .filter(|slot| !slot.countdown.is_off())
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

    /// Counts the call for what it is about.
    #[inline(never)]
    fn count_for_files(self, parts: &TwoPhaseCall, outcome: &Outcome) {
        let slot = match slot_or_target() {
            Ok(slot) => std::ptr::from_ref::<Slot>(slot).addr() as u64,
            Err(_) => 0,
        };
        let times = [parts.began_ticks(), parts.took_ticks()];
        self.count(None, files::UNKNOWN, slot, outcome, times);
    }

    /// Counts its parts for what it is about, and all of it for the coroutine that made it. The program finds the errno of
    /// the call.
    #[inline(never)]
    fn count_parts(self, parts: &TwoPhaseCall, outcome: &Outcome) {
        let (wait_ticks, took_ticks) = (parts.wait_ticks(), parts.took_ticks());
        // What is sent from a file waits for what it goes to.
        let is_for_other = self.to >= 0 && !coop::is_waitable(self.file);
        let waited_for = if is_for_other { self.to } else { self.file };
        files::count_parts(waited_for, wait_ticks, took_ticks - wait_ticks);
        if coop::has_runtime() {
            coop::count_call(outcome.moved(), parts.has_waited(), wait_ticks);
        }
        sys::set_errno(parts.errno());
    }
}

/// What a call in parts does. Not inlined: what it needs of the stack is free again when the call is recorded, and a signal
/// handler's stack may be small.
#[inline(never)]
fn performed<R>(parts: &TwoPhaseCall, perform: impl Fn(&TwoPhaseCall) -> R) -> R {
    let result = perform(parts);
    parts.end();
    result
}
