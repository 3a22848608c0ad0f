//! The counters of one thread.

use crate::counter::{Adder, Counter};
use crate::errnos::Errnos;
use crate::functions::{Family, Function, OFTEN_SIZED_COUNT, Sized, WAITING_COUNT};
use crate::sampling::Sampling;
use crate::sizes::{SizeClasses, class_of};
#[cfg(not(loom))]
use crate::slot::HeapTotals;
use crate::slow::SlowCalls;

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
    pub(super) makeable: Counter,
    /// What `makeable` was when it was last set.
    makeable_at_first: Counter,
    /// Bytes that may be freed until it is due to publish. Below zero, as a signed number, it is.
    pub(super) freeable: Counter,
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
    pub(super) slow_floors: [Counter; Family::COUNT],
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

    /// After [`Slot::grow`](crate::slot::Slot::grow) has said that something may be due. Where it is nothing, some more bytes may be
    /// made now. For the owner.
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

    /// The same after [`Slot::shrink`](crate::slot::Slot::shrink). Whether it is due to publish.
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

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::counter::Alone;
    use crate::slot::tests::zeroed;

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

    fn heap() -> Box<HeapTotals> {
        // SAFETY: it is made of atomics, for which zeroes are valid.
        unsafe { Box::<HeapTotals>::new_zeroed().assume_init() }
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
}
