//! A latency sample: which function, and how long, in eight bytes.
//!
//! It is small: eight samples to a cache line, one store to push. Other facts of a call
//! (its size, its descriptor, its time) are kept for the slowest calls only, in [`crate::slow`].

use crate::functions::Function;

const TICK_BITS: u32 = 52;
const MAX_TICKS: u64 = (1 << TICK_BITS) - 1;
const _: () = assert!(Part::ALL.len() * Function::COUNT < 1 << (64 - TICK_BITS));

/// The part of a call that a sample has the duration of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The call.
    Whole = 0,
    /// How long it waited until it could go on.
    Wait = 1,
    /// All that was not waiting.
    Transfer = 2,
}

impl Part {
    const ALL: [Part; 3] = [Part::Whole, Part::Wait, Part::Transfer];
}

/// A function and a duration in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Sample(u64);

impl Sample {
    /// A sample. A duration past 2^52 ticks (weeks) is held at that.
    #[inline(always)]
    pub const fn new(function: Function, ticks: u64) -> Sample {
        Sample::of_part(function, Part::Whole, ticks)
    }

    /// A sample of a part of a call.
    #[inline(always)]
    pub const fn of_part(function: Function, part: Part, ticks: u64) -> Sample {
        let ticks = if ticks > MAX_TICKS { MAX_TICKS } else { ticks };
        let subject = part as usize * Function::COUNT + function.index();
        Sample((subject as u64) << TICK_BITS | ticks)
    }

    /// The sample as it stands in the ring.
    #[inline(always)]
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// A sample from the ring; [`Sample::subject`] checks whether it is valid.
    pub const fn from_bits(bits: u64) -> Sample {
        Sample(bits)
    }

    /// The function, and what part of its call, unless the bits name none.
    #[inline]
    pub fn subject(self) -> Option<(Function, Part)> {
        let subject = (self.0 >> TICK_BITS) as usize;
        let part = *Part::ALL.get(subject / Function::COUNT)?;
        Some((Function::from_index(subject % Function::COUNT)?, part))
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
    fn holds_function_part_and_ticks() {
        for function in Function::ALL {
            for part in Part::ALL {
                let sample = Sample::of_part(function, part, 123_456_789);
                let sample = Sample::from_bits(sample.to_bits());
                assert_eq!(sample.subject(), Some((function, part)));
                assert_eq!(sample.ticks(), 123_456_789);
            }
        }
        let long = Sample::new(Function::Read, u64::MAX);
        assert_eq!(long.ticks(), MAX_TICKS);
        assert_eq!(long.subject(), Some((Function::Read, Part::Whole)));
        assert_eq!(Sample::from_bits(u64::MAX).subject(), None);
    }
}
