//! Everything that one thread writes: its counters and its ring.
//!
//! A slot begins as zeroes and is never cleared. When its thread ends, another thread may take it over
//! and continue its counts, so that totals are right even without a reader.

use std::mem::offset_of;
use std::sync::atomic::{AtomicU32, Ordering};

#[cfg(not(any(miri, loom)))]
use crate::arch;
use crate::countdown::Countdown;
use crate::counter::{Adder, Counter};
use crate::errnos::Errnos;
use crate::functions::{Family, Function, OFTEN_SIZED_COUNT, Sized, WAITING_COUNT};
use crate::in_flight::InFlight;
use crate::ring::Ring;
use crate::sample::{Part, Sample};
use crate::sampling::Sampling;
use crate::sizes::{SizeClasses, class_of};
use crate::slow::{SlowCall, SlowCalls};
use crate::stacks::LeafOwner;

/// The counters of one function, one cache line.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct FunctionCounters {
    /// Calls.
    pub calls: Counter,
    /// Bytes asked for.
    pub requested_bytes: Counter,
    /// Calls that failed.
    pub errors: Counter,
    /// Bytes moved.
    pub moved_bytes: Counter,
    /// Calls that were timed, whether or not the ring took their sample.
    pub timed: Counter,
    /// Sum of the timed calls' durations.
    pub ticks: Counter,
    /// The longest of the timed calls.
    pub longest_ticks: Counter,
    /// Calls that Weir itself made, which are in no other counter.
    pub reentrant: Counter,
}

/// Of one function, the calls that were made in two parts.
#[derive(Debug)]
#[repr(C)]
pub struct PartCounters {
    /// Calls that were made in two parts, and timed.
    pub parted: Counter,
    /// Those of them that had to wait.
    pub waits: Counter,
    /// Sum of the waits.
    pub wait_ticks: Counter,
    /// The longest wait.
    pub longest_wait_ticks: Counter,
    /// Sum of what was not waiting.
    pub transfer_ticks: Counter,
    /// The longest of those.
    pub longest_transfer_ticks: Counter,
}

/// The counters of one thread, or of those that share the common slot.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Counters {
    /// Bytes allocated less bytes freed.
    pub live_bytes: Counter,
    /// Bytes that may be made until something is due: the next sample, or to publish. Below zero, as a signed number, it is.
    makeable: Counter,
    /// What `makeable` was when it was last set.
    makeable_at_first: Counter,
    /// Bytes that may be freed until it is due to publish. Below zero, as a signed number, it is.
    freeable: Counter,
    /// What of `live_bytes` the region's total has.
    published: Counter,
    /// How far `live_bytes` may be from `published`.
    publish_step: Counter,
    /// What to add to allocations less frees to get the blocks that are live: calls that made or
    /// freed none although the function's role says so (`free(NULL)`, `realloc` from NULL or to 0).
    pub blocks_adjustment: Counter,
    /// Which blocks are sampled; not of the common counters.
    pub sampling: Sampling,
    functions: [FunctionCounters; Function::COUNT],
    size_classes: [SizeClasses; OFTEN_SIZED_COUNT],
    parts: [PartCounters; WAITING_COUNT],
    /// Failed calls by errno.
    pub errnos: Errnos,
    /// A timed call of a family longer than this belongs to the slow ones.
    slow_floors: [Counter; Family::COUNT],
    slow: [SlowCalls; Family::COUNT],
}

impl Counters {
    /// The counters of a function.
    #[inline(always)]
    pub fn of(&self, function: Function) -> &FunctionCounters {
        &self.functions[function.index()]
    }

    /// Calls of a function by size class; none for a function without a size, and for one whose classes are in the table of the
    /// process.
    pub fn size_classes(&self, function: Function) -> Option<&SizeClasses> {
        match function.sized()? {
            Sized::Often(index) => Some(&self.size_classes[index]),
            Sized::Seldom(_) => None,
        }
    }

    /// The calls of a function that were made in two parts; none for a function that cannot wait.
    pub fn parts(&self, function: Function) -> Option<&PartCounters> {
        function.waiting_index().map(|index| &self.parts[index])
    }

    /// The slow calls of a family.
    pub fn slow(&self, family: Family) -> &SlowCalls {
        &self.slow[family.index()]
    }

    /// Counts the size that a call asked for, where the function has one. False if the call is still to be counted in the table of
    /// the process ([`SeldomSizes`](crate::sizes::SeldomSizes)).
    #[must_use]
    #[inline(always)]
    pub fn count_size<A: Adder>(&self, function: Function, requested: u64) -> bool {
        let Some(sized) = function.sized() else {
            return true;
        };
        A::add(&self.of(function).requested_bytes, requested);
        if let Sized::Often(index) = sized {
            A::add(&self.size_classes[index][class_of(requested)], 1);
        }
        matches!(sized, Sized::Often(_))
    }

    /// Sets up which blocks are samples, for a new owner: one in `mean` bytes on average, none if that is 0.
    pub fn start_sampling(&self, mean: u64, seed: u64) {
        self.sampling.start(mean, seed);
        // What the owner before made is not on the way to the sample.
        self.makeable_at_first.set(0);
        self.makeable.set(0);
    }

    /// After [`Slot::grow`] has said that something may be due. Where it is nothing, some more bytes may be made now. For the owner.
    #[inline(always)]
    pub fn settle_making(&self) -> Due {
        let (rest, is_passed) = self.sampling.to_next.get().overflowing_sub(self.made());
        if is_passed {
            return Due::Sample;
        }
        let unpublished = self.unpublished();
        if self.is_to_publish(unpublished) {
            return Due::Publishing;
        }
        self.sampling.to_next.set(rest);
        self.set_makeable(self.publish_step.get().wrapping_sub(unpublished), rest);
        Due::Nothing
    }

    /// The same after [`Slot::shrink`]. Whether it is due to publish.
    #[inline(always)]
    pub fn settle_freeing(&self) -> bool {
        let unpublished = self.unpublished();
        if self.is_to_publish(unpublished) {
            return true;
        }
        self.freeable
            .set(self.publish_step.get().wrapping_add(unpublished));
        false
    }

    /// Whether a sample is in what was made since it was last asked; then [`Sampling::restart`] has to follow. For the owner.
    pub fn has_passed_sample(&self) -> bool {
        let made = self.made();
        self.makeable_at_first.set(self.makeable.get());
        let (rest, is_passed) = self.sampling.to_next.get().overflowing_sub(made);
        self.sampling.to_next.set(if is_passed { 0 } else { rest });
        is_passed
    }

    /// Whether the live bytes have moved so far that it is due to publish: half of what they may, so that at least half of it is made
    /// or freed between two questions.
    #[inline(always)]
    fn is_to_publish(&self, unpublished: u64) -> bool {
        unpublished.cast_signed().unsigned_abs() >= self.publish_step.get() / 2
    }

    #[inline(always)]
    fn made(&self) -> u64 {
        self.makeable_at_first
            .get()
            .wrapping_sub(self.makeable.get())
    }

    #[inline(always)]
    fn unpublished(&self) -> u64 {
        self.live_bytes.get().wrapping_sub(self.published.get())
    }

    #[inline(always)]
    fn set_makeable(&self, room: u64, to_next_sample: u64) {
        let makeable = room.min(to_next_sample);
        self.makeable_at_first.set(makeable);
        self.makeable.set(makeable);
    }

    /// Brings the region's live and peak bytes up to date with this thread; for the owner.
    #[cfg(not(loom))]
    pub fn publish(&self, heap: &HeapTotals) {
        let live = self.live_bytes.get();
        let unpublished = live.wrapping_sub(self.published.get());
        self.published.set(live);
        let total = heap.live_bytes.add_shared(unpublished).cast_signed();
        heap.peak_bytes.raise_shared(total);
        let step = publish_step(total);
        self.publish_step.set(step);
        // Where nobody has asked for a sample, the next block is one in place of this.
        self.has_passed_sample();
        self.set_makeable(step, self.sampling.to_next.get());
        self.freeable.set(step);
    }
}

/// What is due when a block has been made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Neither was near enough.
    Nothing,
    /// The total of what is live: [`Counters::publish`] has to follow.
    Publishing,
    /// The block is a sample: [`Counters::has_passed_sample`], [`Sampling::restart`] and [`Counters::publish`] have to follow.
    Sample,
}

/// How far a thread's live bytes may move before the total learns of it: a 64th of the heap, within
/// bounds. The total's peak is too low by no more than this for every thread.
pub fn publish_step(live: i64) -> u64 {
    (live.max(0).cast_unsigned() / 64).clamp(4 * 1024, 1024 * 1024)
}

/// Live and peak bytes of the whole process image.
#[derive(Debug)]
#[repr(C, align(128))]
pub struct HeapTotals {
    /// What the threads have published of their live bytes.
    pub live_bytes: Counter,
    /// The most that `live_bytes` has been.
    pub peak_bytes: Counter,
    /// The peak that was marked last.
    marked_bytes: Counter,
    /// How many peaks have been marked: who counts what is live by call site keeps what it was at the last.
    marked_peaks: AtomicU32,
}

impl HeapTotals {
    /// How much larger a peak must be than the last that was marked: by a hundredth.
    const MARK_STEP: i64 = 100;

    /// Marks a peak, where what is live has become so much more than at the last one.
    pub fn mark_peak(&self) {
        let live = self.live_bytes.get_signed();
        let marked = self.marked_bytes.get_signed();
        if live > marked + marked / Self::MARK_STEP {
            self.marked_bytes.raise_shared(live);
            self.marked_peaks.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The number of the peak that was marked last; 0 where none was.
    #[inline(always)]
    pub fn marked_peak(&self) -> u32 {
        self.marked_peaks.load(Ordering::Relaxed)
    }
}

/// Whose a slot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Tenancy {
    /// Nobody has had it.
    Free = 0,
    /// A thread has it.
    Taken = 1,
    /// Its thread ended; another may take over.
    Ended = 2,
}

/// The thread that has a slot.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Owner {
    tenancy: AtomicU32,
    /// Thread id of the latest owner.
    tid: AtomicU32,
    /// How many threads have had the slot.
    threads: Counter,
    /// The time-stamp counter when the first owner took it.
    began_ticks: Counter,
    /// The name of the latest owner: 16 bytes, NUL-padded, as the kernel keeps it.
    name: [Counter; 2],
}

impl Owner {
    /// Takes the slot if it is as `from` says.
    pub fn take(&self, from: Tenancy, tid: u32, name: [u64; 2], now_ticks: u64) -> bool {
        let taken = self.tenancy.compare_exchange(
            from as u32,
            Tenancy::Taken as u32,
            Ordering::Acquire,
            Ordering::Relaxed,
        );
        if taken.is_err() {
            return false;
        }
        if self.threads.get() == 0 {
            self.began_ticks.set(now_ticks);
        }
        self.threads.add(1);
        self.tid.store(tid, Ordering::Relaxed);
        self.rename(name);
        true
    }

    /// Sets the name of the owner.
    pub fn rename(&self, name: [u64; 2]) {
        self.name[0].set(name[0]);
        self.name[1].set(name[1]);
    }

    /// Leaves the slot to the next thread, which will see all that this one wrote.
    pub fn leave(&self) {
        self.tenancy.store(Tenancy::Ended as u32, Ordering::Release);
    }

    /// Whether a thread has the slot now.
    pub fn is_taken(&self) -> bool {
        self.tenancy.load(Ordering::Relaxed) == Tenancy::Taken as u32
    }

    /// Thread id of the latest owner.
    pub fn tid(&self) -> u32 {
        self.tid.load(Ordering::Relaxed)
    }

    /// How many threads have had the slot.
    pub fn threads(&self) -> u64 {
        self.threads.get()
    }

    /// The time-stamp counter when the first owner took it.
    pub fn began_ticks(&self) -> u64 {
        self.began_ticks.get()
    }

    /// The name of the latest owner, NUL-padded.
    pub fn name(&self) -> [u8; 16] {
        let mut name = [0; 16];
        name[..8].copy_from_slice(&self.name[0].get().to_ne_bytes());
        name[8..].copy_from_slice(&self.name[1].get().to_ne_bytes());
        name
    }
}

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
    use crate::counter::Alone;

    fn zeroed() -> Box<Slot> {
        // SAFETY: a slot is made of atomics, for which zeroes are valid.
        unsafe { Box::<Slot>::new_zeroed().assume_init() }
    }

    #[test]
    fn a_slot_stays_within_its_budget() {
        assert!(size_of::<Slot>() <= 256 * 1024, "{}", size_of::<Slot>());
    }

    #[test]
    fn sizes_go_to_the_class_of_their_highest_bit() {
        let slot = zeroed();
        for size in [0, 1, 2, 3, 4, 1024, 2047, u64::MAX] {
            assert!(slot.counters.count_size::<Alone>(Function::Malloc, size));
        }
        let classes = slot.counters.size_classes(Function::Malloc).unwrap();
        let of = |class: usize| classes[class].get();
        assert_eq!([of(0), of(1), of(2), of(10), of(63)], [2, 2, 1, 2, 1]);
    }

    #[test]
    fn a_size_that_the_slot_has_no_class_for_is_left_to_the_process() {
        let slot = zeroed();
        assert!(!slot.counters.count_size::<Alone>(Function::Mmap, 4096));
        let mapped = slot.counters.of(Function::Mmap).requested_bytes.get();
        assert_eq!(mapped, 4096);
        assert!(slot.counters.count_size::<Alone>(Function::Free, 8));
    }

    fn heap() -> HeapTotals {
        HeapTotals {
            live_bytes: Counter::new(),
            peak_bytes: Counter::new(),
            marked_bytes: Counter::new(),
            marked_peaks: AtomicU32::new(0),
        }
    }

    #[test]
    fn a_peak_is_marked_when_it_is_a_hundredth_higher() {
        let heap = heap();
        let mut marked = Vec::new();
        for live in [0, 5000, 5010, 5051, 4000, 5051, 6000] {
            heap.live_bytes.set(live);
            heap.mark_peak();
            marked.push((heap.marked_peak(), heap.marked_bytes.get()));
        }
        let expected = [
            (0, 0),
            (1, 5000),
            (1, 5000),
            (2, 5051),
            (2, 5051),
            (2, 5051),
            (3, 6000),
        ];
        assert_eq!(marked, expected);
    }

    #[test]
    fn live_bytes_are_published_in_steps() {
        let slot = zeroed();
        let heap = heap();
        let counters = &slot.counters;
        counters.start_sampling(0, 7);
        assert!(slot.grow(1));
        assert_eq!(counters.settle_making(), Due::Publishing);
        counters.publish(&heap);
        assert_eq!(heap.live_bytes.get(), 1);
        assert!(!slot.grow(4096));
        assert!(slot.grow(1));
        // It remains due until it is done.
        assert!(slot.grow(1));
        assert_eq!(counters.settle_making(), Due::Publishing);
        counters.publish(&heap);
        assert_eq!(heap.live_bytes.get(), 4099);
        assert!(!slot.shrink(4096));
        assert!(slot.shrink(1));
        assert!(slot.shrink(1));
        assert!(counters.settle_freeing());
        counters.publish(&heap);
        assert_eq!((heap.live_bytes.get(), heap.peak_bytes.get()), (1, 4099));
        // If a thread frees blocks that others allocated, its value becomes negative.
        assert!(slot.shrink(5001));
        counters.publish(&heap);
        assert_eq!(heap.live_bytes.get_signed(), -5000);
        // What makes and frees by turns need not publish.
        assert!(!slot.grow(4096) && !slot.shrink(4096));
        assert!(slot.grow(100));
        assert_eq!(counters.settle_making(), Due::Nothing);
        assert!(!slot.grow(3900) && slot.shrink(100));
        assert!(counters.settle_freeing());
        counters.publish(&heap);
        // One call that frees and makes.
        assert!(!slot.replace(4000, 4096));
        assert!(slot.replace(0, 1));
    }

    /// The total is never further off than a step, and what makes and frees by turns needs it seldom.
    #[test]
    fn what_is_not_published_is_within_a_step() {
        let slot = zeroed();
        let heap = heap();
        slot.counters.start_sampling(0, 7);
        let mut random = 1_u64;
        let mut published = 0;
        for _ in 0..100_000 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let bytes = random >> 54;
            let is_due = match random >> 32 & 1 {
                0 => slot.grow(bytes) && slot.counters.settle_making() != Due::Nothing,
                _ => slot.shrink(bytes) && slot.counters.settle_freeing(),
            };
            if is_due {
                slot.counters.publish(&heap);
                published += 1;
            }
            let unpublished = slot.counters.unpublished().cast_signed();
            assert!(
                unpublished.unsigned_abs() <= publish_step(0),
                "{unpublished}"
            );
        }
        assert!((100..20_000).contains(&published), "{published}");
    }

    #[test]
    fn a_slot_passes_from_thread_to_thread() {
        let slot = zeroed();
        let name = [u64::from_ne_bytes(*b"worker\0\0"), 0];
        assert!(slot.owner.take(Tenancy::Free, 10, name, 99));
        assert!(!slot.owner.take(Tenancy::Free, 11, name, 100));
        slot.owner.leave();
        assert!(!slot.owner.is_taken());
        assert!(slot.owner.take(Tenancy::Ended, 12, name, 101));
        assert_eq!(
            (
                slot.owner.tid(),
                slot.owner.threads(),
                slot.owner.began_ticks()
            ),
            (12, 2, 99)
        );
        assert_eq!(&slot.owner.name()[..7], b"worker\0");
    }
}
