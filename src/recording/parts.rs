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
            && let Some(link) = self.begin_parts()
        {
            return self.make_in_parts(way, link, judge, then, perform);
        }
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
        let parts = Parts::new(way);
        let errno_before = sys::errno();
        let began_ticks = sys::ticks();
        let result = perform(&parts);
        let took_ticks = sys::ticks().wrapping_sub(began_ticks);
        let outcome = judge(result);
        // A try that failed has left its errno, also where the call then went well.
        let errno = match outcome {
            Outcome::Failed(_) | Outcome::Short(..) => sys::errno(),
            Outcome::Bytes(_) | Outcome::At(_) => errno_before,
        };
        self.end_parts(&parts, link, outcome, began_ticks, took_ticks, || {
            then(result);
        });
        sys::set_errno(errno);
        result
    }

    /// Counts the call. What the descriptor leads to, where it is closed; none where the call is not the program's own.
    #[inline(never)]
    fn begin_parts(&self) -> Option<u32> {
        match slot_of_io() {
            Ok(slot) => slot.counters.of(self.function).calls.add(1),
            Err(Target::Common(counters)) => _ = counters.of(self.function).calls.add_shared(1),
            // The call waits as it would where it could be counted.
            Err(Target::Nothing) => image::count_uncounted(),
            Err(Target::Own(_) | Target::Guarded(..)) => return None,
        }
        Some(self.link_before())
    }

    #[inline(never)]
    fn end_parts(
        &self,
        parts: &Parts,
        link: u32,
        outcome: Outcome,
        began_ticks: u64,
        took_ticks: u64,
        then: impl Fn(),
    ) {
        let wait_ticks = parts.wait_ticks().min(took_ticks);
        let transfer_ticks = took_ticks - wait_ticks;
        let after = self.size.after(outcome);
        let requested = self.size.before().or(after);
        let mut by = 0;
        match slot_of_io() {
            Ok(slot) => {
                if let Some(requested) = requested {
                    slot.counters.count_size::<Alone>(self.function, requested);
                }
                if !slot.countdown.is_off() {
                    let requested = requested.unwrap_or(0);
                    let sample =
                        slot.time(self.function, began_ticks, took_ticks, requested, self.fd);
                    slot.ring.push(sample, writer::crowded);
                    let has_waited = parts.has_waited();
                    for sample in
                        slot.time_parts(self.function, has_waited, wait_ticks, transfer_ticks)
                    {
                        slot.ring.push(sample, writer::crowded);
                    }
                }
                settle::<Alone>(&slot.counters, self.function, outcome);
                by = std::ptr::from_ref::<Slot>(slot).addr() as u64;
            }
            Err(Target::Common(counters)) => {
                if let Some(requested) = requested {
                    counters.count_size::<Shared>(self.function, requested);
                }
                settle::<Shared>(counters, self.function, outcome);
            }
            Err(_) => {}
        }
        then();
        self.count_files(by, link, outcome, began_ticks, took_ticks);
        // What is sent from a file waits for what it goes to.
        let is_for_other = self.to >= 0 && !coop::is_waitable(self.file);
        let waited_for = if is_for_other { self.to } else { self.file };
        files::count_parts(waited_for, wait_ticks, transfer_ticks);
        if coop::has_runtime() {
            coop::count_call(outcome.moved(), parts.has_waited(), wait_ticks);
        }
    }
}
