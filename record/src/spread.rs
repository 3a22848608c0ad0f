//! The distribution of durations: a histogram that is small enough for every file and socket.

use crate::counter::Counter;

/// Classes of durations; each is twice as wide as the one before.
pub const CLASSES: usize = 30;

/// Durations below this (in ticks, about 80 ns) are all in the first class.
const FIRST_BITS: u32 = 8;

/// The shortest duration of a class, in ticks.
pub const fn class_from_ticks(class: usize) -> u64 {
    if class == 0 {
        0
    } else {
        1 << (FIRST_BITS as usize + class - 1)
    }
}

fn class_of(ticks: u64) -> usize {
    let bits = u64::BITS - ticks.leading_zeros();
    (bits.saturating_sub(FIRST_BITS) as usize).min(CLASSES - 1)
}

/// Durations by class. Any thread adds to it.
#[derive(Debug)]
#[repr(C)]
pub struct Spread {
    /// Sum of the durations, in ticks.
    pub ticks: Counter,
    /// The longest, in ticks.
    pub longest_ticks: Counter,
    classes: [Counter; CLASSES],
}

impl Spread {
    /// Adds a duration.
    pub fn add(&self, ticks: u64) {
        self.ticks.add_shared(ticks);
        self.longest_ticks.raise_shared(ticks.cast_signed());
        self.classes[class_of(ticks)].add_shared(1);
    }

    /// How many durations there are, by class.
    pub fn classes(&self) -> &[Counter; CLASSES] {
        &self.classes
    }

    /// Forgets them.
    pub fn forget(&self) {
        for counter in [&self.ticks, &self.longest_ticks]
            .into_iter()
            .chain(&self.classes)
        {
            counter.set(0);
        }
    }

    /// Adds them to another.
    pub fn fold_into(&self, other: &Spread) {
        other.ticks.add_shared(self.ticks.get());
        let longest = self.longest_ticks.get_signed();
        other.longest_ticks.raise_shared(longest);
        for (from, to) in self.classes.iter().zip(&other.classes) {
            to.add_shared(from.get());
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn empty() -> Spread {
        Spread {
            ticks: Counter::new(),
            longest_ticks: Counter::new(),
            classes: std::array::from_fn(|_| Counter::new()),
        }
    }

    #[test]
    fn a_duration_is_in_the_class_that_begins_at_or_below_it() {
        for ticks in [0, 1, 255, 256, 511, 512, 1 << 20, (1 << 36) - 1, u64::MAX] {
            let class = class_of(ticks);
            assert!(class_from_ticks(class) <= ticks, "{ticks}");
            if class + 1 < CLASSES {
                assert!(ticks < class_from_ticks(class + 1), "{ticks}");
            }
        }
    }

    #[test]
    fn folding_adds_up() {
        let (one, other) = (empty(), empty());
        one.add(300);
        one.add(70);
        other.add(1000);
        one.fold_into(&other);
        assert_eq!(other.ticks.get(), 1370);
        assert_eq!(other.longest_ticks.get(), 1000);
        let calls: u64 = other.classes().iter().map(Counter::get).sum();
        assert_eq!(calls, 3);
        one.forget();
        assert_eq!((one.ticks.get(), one.longest_ticks.get()), (0, 0));
    }
}
