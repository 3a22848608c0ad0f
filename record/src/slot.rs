//! Everything that one thread writes: its counters and its ring.
//!
//! A slot begins as zeroes and is never cleared. When its thread ends, another thread may take it over
//! and continue its counts, so that totals are right even without a reader.
//!
//! ```text
//! counters      the counters
//! owner         whose a slot is
//! heap_totals   what all threads together have live in the heap
//! ```

mod counters;
mod heap_totals;
mod owner;

#[cfg(not(any(miri, loom)))]
use std::mem::offset_of;
use std::sync::atomic::{AtomicU32, Ordering};

#[cfg(not(any(miri, loom)))]
use crate::arch;
use crate::countdown::Countdown;
use crate::counter::Counter;
use crate::functions::Function;
use crate::in_flight::InFlight;
use crate::ring::Ring;
use crate::sample::{Part, Sample};
use crate::slow::SlowCall;
use crate::stacks::LeafOwner;

pub use counters::{Counters, Due, FunctionCounters, PartCounters, publish_step};
pub use heap_totals::HeapTotals;
pub use owner::{Owner, Tenancy};

/// What one thread writes.
#[derive(Debug)]
#[repr(C, align(4096))]
pub struct Slot {
    /// When the next allocation call is timed. First, so that its address is the slot's.
    pub countdown: Countdown,
    /// The call that the thread is in. Here, in the cache line that every call reads.
    pub in_flight: InFlight,
    /// The address of the block that the thread made last, where call stacks are taken. Where blocks are sampled, of the last one
    /// that was.
    pub last_block: Counter,
    /// Where blocks are sampled, how many blocks the thread had made when it made that one.
    pub made_at_last_block: Counter,
    /// Its place among the slots plus one.
    number: AtomicU32,
    /// The leaf of the call that the thread is in, where call stacks are taken; 0 where it has none. Else of an earlier call.
    in_flight_leaf: AtomicU32,
    /// Whose it is.
    pub owner: Owner,
    /// The counters.
    pub counters: Counters,
    /// The samples.
    pub ring: Ring,
}

impl Slot {
    /// Bytes of a slot whose ring has not got all of its memory.
    #[cfg(not(loom))]
    pub const FIRST_BYTES: usize = std::mem::offset_of!(Slot, ring) + Ring::FIRST_BYTES;

    /// Says which of the slots it is, before a thread takes it.
    pub fn set_number(&self, index: usize) {
        self.number.store(index as u32 + 1, Ordering::Relaxed);
    }

    /// At which leaf the call will be counted that the thread is about to make; for the owner.
    #[inline(always)]
    pub fn set_in_flight_leaf(&self, leaf: u32) {
        self.in_flight_leaf.store(leaf, Ordering::Relaxed);
    }

    /// The number that was set last.
    pub fn in_flight_leaf(&self) -> u32 {
        self.in_flight_leaf.load(Ordering::Relaxed)
    }

    /// Its place among the slots.
    pub fn index(&self) -> usize {
        (self.number.load(Ordering::Relaxed) as usize).saturating_sub(1)
    }

    /// Whose leaves of call stacks its thread counts at.
    #[inline(always)]
    pub fn leaf_owner(&self) -> LeafOwner {
        LeafOwner::of_number(self.number.load(Ordering::Relaxed))
    }

    /// Counts the bytes of a block that was made. True where something is due: then [`Counters::settle_making`] has to follow.
    #[inline(always)]
    pub fn grow(&self, by: u64) -> bool {
        self.counters.live_bytes.add(by);
        self.is_due_by_making(by)
    }

    /// Counts the bytes of a block that is freed. True where something is due: then [`Counters::settle_freeing`] has to follow.
    #[inline(always)]
    pub fn shrink(&self, by: u64) -> bool {
        self.counters.live_bytes.add(by.wrapping_neg());
        self.is_due_by_freeing(by)
    }

    /// Counts the bytes of a block that was freed, and of one that was made, by one call. True where something is due: then
    /// [`Counters::has_passed_sample`] is to be asked, and [`Counters::publish`] has to follow.
    #[inline(always)]
    pub fn replace(&self, freed: u64, made: u64) -> bool {
        self.counters.live_bytes.add(made.wrapping_sub(freed));
        let is_due = self.is_due_by_freeing(freed);
        self.is_due_by_making(made) || is_due
    }

    #[inline(always)]
    fn is_due_by_making(&self, bytes: u64) -> bool {
        #[cfg(not(any(miri, loom)))]
        // SAFETY: a counter of this slot, which is an atomic.
        unsafe {
            arch::take_away::<Slot, { offset_of!(Slot, counters.makeable) }>(self, bytes)
        }
        #[cfg(any(miri, loom))]
        take_away(&self.counters.makeable, bytes)
    }

    #[inline(always)]
    fn is_due_by_freeing(&self, bytes: u64) -> bool {
        #[cfg(not(any(miri, loom)))]
        // SAFETY: a counter of this slot, which is an atomic.
        unsafe {
            arch::take_away::<Slot, { offset_of!(Slot, counters.freeable) }>(self, bytes)
        }
        #[cfg(any(miri, loom))]
        take_away(&self.counters.freeable, bytes)
    }

    /// Counts the duration of a call, keeps it where it is among the slowest, and gives the sample.
    #[inline(always)]
    pub fn time(
        &self,
        function: Function,
        began_ticks: u64,
        took_ticks: u64,
        size: u64,
        fd: i32,
    ) -> Sample {
        let counters = self.counters.of(function);
        counters.timed.add(1);
        counters.ticks.add(took_ticks);
        if took_ticks > counters.longest_ticks.get() {
            counters.longest_ticks.set(took_ticks);
        }
        let family = function.row().family.index();
        if took_ticks > self.counters.slow_floors[family].get() {
            self.keep(function, began_ticks, took_ticks, size, fd);
        }
        Sample::new(function, took_ticks)
    }

    /// Counts the parts of a call that was made in two; gives their samples.
    pub fn time_parts(
        &self,
        function: Function,
        has_waited: bool,
        wait_ticks: u64,
        transfer_ticks: u64,
    ) -> [Sample; 2] {
        if let Some(parts) = self.counters.parts(function) {
            parts.parted.add(1);
            parts.waits.add(u64::from(has_waited));
            for (sum, longest, ticks) in [
                (&parts.wait_ticks, &parts.longest_wait_ticks, wait_ticks),
                (
                    &parts.transfer_ticks,
                    &parts.longest_transfer_ticks,
                    transfer_ticks,
                ),
            ] {
                sum.add(ticks);
                if ticks > longest.get() {
                    longest.set(ticks);
                }
            }
        }
        [
            Sample::of_part(function, Part::Wait, wait_ticks),
            Sample::of_part(function, Part::Transfer, transfer_ticks),
        ]
    }

    #[cold]
    #[inline(never)]
    fn keep(&self, function: Function, began_ticks: u64, took_ticks: u64, size: u64, fd: i32) {
        let family = function.row().family;
        let call = SlowCall {
            function: function.index() as u64,
            took_ticks,
            began_ticks,
            size,
            fd,
            tid: self.owner.tid(),
        };
        let floor = self.counters.slow(family).keep(call);
        self.counters.slow_floors[family.index()].set(floor);
    }
}

/// Takes from a number, and says whether it is below zero then, as a signed one.
#[cfg(any(miri, loom))]
fn take_away(number: &Counter, bytes: u64) -> bool {
    number.set(number.get().wrapping_sub(bytes));
    number.get_signed() < 0
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    pub(super) fn zeroed() -> Box<Slot> {
        // SAFETY: a slot is made of atomics, for which zeroes are valid.
        unsafe { Box::<Slot>::new_zeroed().assume_init() }
    }

    #[test]
    fn a_slot_stays_within_its_budget() {
        assert!(size_of::<Slot>() <= 256 * 1024, "{}", size_of::<Slot>());
    }
}
