//! Which of a thread's allocation calls are timed.

use std::sync::atomic::{AtomicU32, Ordering};

#[cfg(not(any(miri, loom)))]
use crate::arch;
use crate::counter::Counter;

/// More calls than any thread makes.
const NEVER: u64 = i64::MAX.cast_unsigned();

/// A countdown of calls, set again at random so that no pattern in the program can hide from it.
#[derive(Debug)]
#[repr(C)]
pub struct Countdown {
    left: Counter,
    random: Counter,
    /// One in how many; 0 is none. With [`Countdown::EVERY`].
    one_in: AtomicU32,
    /// As `left`, where every call is due.
    left_to_time: Counter,
    /// How many ticks the last call took, where every call is due.
    last_took: Counter,
}

impl Countdown {
    /// In `one_in`: every call is due, whether or not it is to be timed. In the same word, so that the hot path asks one question.
    const EVERY: u32 = 1 << 31;

    /// Sets it up for a thread: times one call in `one_in` on average, none if that is 0. `is_every_due`: every call is due, for
    /// another reason, and [`Countdown::is_to_be_timed`] says which are timed.
    pub fn start(&self, one_in: u32, seed: u64, is_every_due: bool) {
        let every = if is_every_due { Self::EVERY } else { 0 };
        self.one_in.store(one_in | every, Ordering::Relaxed);
        self.random.set(seed);
        self.restart_at_random();
    }

    /// Counts a call where every call is due. Returns whether to time it.
    #[inline(always)]
    pub fn is_to_be_timed(&self) -> bool {
        self.left.set(1);
        let left = self.left_to_time.get().wrapping_sub(1);
        self.left_to_time.set(left);
        let is_due = left.cast_signed() <= 0;
        if is_due {
            self.restart_at_random();
        }
        is_due
    }

    /// Times nothing from now on; for the owner. What [`Countdown::turn_on`] takes to time as before.
    pub fn turn_off(&self) -> u32 {
        let one_in = self.one_in.load(Ordering::Relaxed);
        self.one_in.store(one_in & Self::EVERY, Ordering::Relaxed);
        self.restart_at_random();
        one_in
    }

    /// Times one call in `one_in` on average, none where that is 0; for the owner.
    pub fn turn_on(&self, one_in: u32) {
        self.one_in.store(one_in, Ordering::Relaxed);
        self.restart_at_random();
    }

    /// Counts a call. Returns whether it is due: then [`Countdown::restart`] has to follow. Until that every call is: a signal handler
    /// that comes before it, and perhaps jumps away, finds the countdown run out.
    #[inline(always)]
    pub fn due(&self) -> bool {
        #[cfg(not(any(miri, loom)))]
        // SAFETY: the countdown's own number, an atomic.
        unsafe {
            arch::count_down(self.left.as_ptr())
        }
        #[cfg(any(miri, loom))]
        {
            let left = self.left.get().wrapping_sub(1);
            self.left.set(left);
            left.cast_signed() <= 0
        }
    }

    /// Whether every call is due, for another reason than to be timed.
    #[inline(always)]
    pub fn is_every_due(&self) -> bool {
        self.one_in.load(Ordering::Relaxed) & Self::EVERY != 0
    }

    /// How many ticks the last call took that was due, where every call is; 0 if it was not timed.
    pub fn last_took(&self) -> u64 {
        self.last_took.get()
    }

    /// Keeps the ticks of a call, to be counted at its site.
    pub fn set_last_took(&self, ticks: u64) {
        self.last_took.set(ticks);
    }

    /// Whether every call is timed.
    #[inline(always)]
    pub fn are_all_timed(&self) -> bool {
        self.one_in.load(Ordering::Relaxed) & !Self::EVERY == 1
    }

    /// Whether nothing is timed.
    #[inline(always)]
    pub fn is_off(&self) -> bool {
        self.one_in.load(Ordering::Relaxed) & !Self::EVERY == 0
    }

    /// Sets the countdown again for a call that is due. False where every call is: then [`Countdown::is_to_be_timed`] says whether
    /// to time it.
    #[inline(always)]
    pub fn restart(&self) -> bool {
        let one_in = self.one_in.load(Ordering::Relaxed);
        if one_in == 1 {
            self.left.set(1);
            return true;
        }
        if one_in & Self::EVERY != 0 {
            return false;
        }
        self.restart_at_random();
        true
    }

    #[cold]
    #[inline(never)]
    fn restart_at_random(&self) {
        // Knuth's MMIX multiplier; the upper bits are random enough.
        let random = self
            .random
            .get()
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        self.random.set(random);
        let one_in = self.one_in.load(Ordering::Relaxed);
        let left = match one_in & !Self::EVERY {
            0 => NEVER,
            // Uniform over 1 to 2N - 1, the mean of which is N.
            one_in => 1 + (((random >> 32) * (2 * u64::from(one_in) - 1)) >> 32),
        };
        if one_in & Self::EVERY == 0 {
            self.left.set(left);
        } else {
            self.left.set(1);
            self.left_to_time.set(left);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn zeroed() -> Box<Countdown> {
        // SAFETY: a countdown is made of atomics, for which zeroes are valid.
        unsafe { Box::<Countdown>::new_zeroed().assume_init() }
    }

    #[test]
    fn countdown_times_one_in_n() {
        let countdown = zeroed();
        for (one_in, expected) in [(1, 100_000..=100_000), (128, 700..=860), (0, 0..=0)] {
            countdown.start(one_in, 42, false);
            let mut timed = 0;
            for _ in 0..100_000 {
                if countdown.due() {
                    timed += 1;
                    countdown.restart();
                }
            }
            assert!(expected.contains(&timed), "1 in {one_in}: {timed}");
        }
    }

    /// A signal handler comes between a call that is due and what follows, and makes calls of its own; then it jumps away.
    #[test]
    fn calls_are_due_until_it_is_set_again() {
        let countdown = zeroed();
        for (one_in, is_every_due) in [(1, false), (2, false), (0, true), (128, true)] {
            countdown.start(one_in, 42, is_every_due);
            while !countdown.due() {}
            assert!((0..1000).all(|_| countdown.due()), "1 in {one_in}");
            countdown.restart();
        }
    }

    #[test]
    fn every_call_is_due_and_one_in_n_is_timed() {
        let countdown = zeroed();
        for (one_in, expected) in [(1, 100_000..=100_000), (128, 700..=860), (0, 0..=0)] {
            countdown.start(one_in, 42, true);
            let mut timed = 0;
            for _ in 0..100_000 {
                assert!(countdown.due());
                timed += u64::from(countdown.is_to_be_timed());
            }
            assert!(expected.contains(&timed), "1 in {one_in}: {timed}");
            assert_eq!(countdown.are_all_timed(), one_in == 1);
            let before = countdown.turn_off();
            assert!(countdown.is_off() && countdown.due());
            assert!(!countdown.restart() && !countdown.is_to_be_timed());
            countdown.turn_on(before);
            assert_eq!(countdown.is_off(), one_in == 0);
            let timed = (0..100_000).filter(|_| countdown.is_to_be_timed());
            assert!(expected.contains(&(timed.count() as u64)));
        }
    }
}
