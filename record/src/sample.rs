//! A latency sample: which function, and how long, in eight bytes.
//!
//! Small on purpose: eight of them to a cache line, one store to push. What else is known of a call
//! (its size, its descriptor, when it was) is kept for the slowest ones only, in [`crate::slow`].

use crate::functions::Function;

const TICK_BITS: u32 = 52;
const MAX_TICKS: u64 = (1 << TICK_BITS) - 1;
const _: () = assert!(Function::COUNT < 1 << (64 - TICK_BITS));

/// A function and a duration in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Sample(u64);

impl Sample {
    /// A sample. A duration past 2^52 ticks (weeks) is held at that.
    #[inline(always)]
    pub const fn new(function: Function, ticks: u64) -> Sample {
        let ticks = if ticks > MAX_TICKS { MAX_TICKS } else { ticks };
        Sample((function.index() as u64) << TICK_BITS | ticks)
    }

    /// The sample as it stands in the ring.
    #[inline(always)]
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// A sample from the ring; [`Sample::function`] tells whether it makes sense.
    pub const fn from_bits(bits: u64) -> Sample {
        Sample(bits)
    }

    /// The function, unless the bits name none.
    #[inline]
    pub fn function(self) -> Option<Function> {
        Function::from_index((self.0 >> TICK_BITS) as usize)
    }

    /// The duration in ticks.
    #[inline]
    pub const fn ticks(self) -> u64 {
        self.0 & MAX_TICKS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_function_and_ticks() {
        for function in Function::ALL {
            let sample = Sample::from_bits(Sample::new(function, 123_456_789).to_bits());
            assert_eq!(sample.function(), Some(function));
            assert_eq!(sample.ticks(), 123_456_789);
        }
        assert_eq!(Sample::new(Function::Read, u64::MAX).ticks(), MAX_TICKS);
        assert_eq!(
            Sample::new(Function::Read, u64::MAX).function(),
            Some(Function::Read)
        );
        assert_eq!(Sample::from_bits(u64::MAX).function(), None);
    }
}
