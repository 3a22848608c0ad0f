//! How long blocks of the heap lived, and since when those live that are still there.
//!
//! Beside the leaf of a site that makes blocks there are nodes with further counters, in [groups](Group): blocks that were freed, by how
//! long they lived, and bytes that are live, by when they were made. A block that is freed is taken from where its making was counted,
//! so what is left there is live.

use super::Group;

/// When something was, since its image began: in units of [`Stamp::UNIT_NS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp(u32);

impl Stamp {
    /// The unit in nanoseconds: 65.536 µs.
    pub const UNIT_NS: u64 = 1 << Self::UNIT_BITS;
    const UNIT_BITS: u32 = 16;
    /// Bits of a stamp. They last for 39 hours; what is made later has none.
    pub const BITS: u32 = 31;

    /// Of so many nanoseconds after the image began; none where that is too long.
    #[inline(always)]
    pub const fn at(ns: u64) -> Option<Stamp> {
        let units = ns >> Self::UNIT_BITS;
        match units >> Self::BITS {
            0 => Some(Stamp(units as u32)),
            _ => None,
        }
    }

    /// From [its bits](Self::bits).
    #[inline(always)]
    pub const fn from_bits(bits: u32) -> Stamp {
        Stamp(bits)
    }

    /// The number of units.
    #[inline(always)]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The nanoseconds after the image began.
    pub const fn ns(self) -> u64 {
        (self.0 as u64) << Self::UNIT_BITS
    }

    /// The units from this moment to one that is so many nanoseconds after the image began.
    pub const fn units_until(self, ns: u64) -> u64 {
        (ns >> Self::UNIT_BITS).saturating_sub(self.0 as u64)
    }
}

/// How many counters a node has.
const COUNTERS: usize = 6;

/// Where something is counted beside a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The node.
    pub group: Group,
    /// The counter in it.
    pub counter: usize,
}

/// Blocks that were freed are counted by how long they lived: in classes that end at these nanoseconds, and in one for all that lived longer.
/// A lifetime is known to [`Stamp::UNIT_NS`].
pub const LIFETIME_ENDS_NS: [u64; 7] = {
    let mut ends = [1_000_000; 7];
    let mut class = 1;
    while class < ends.len() {
        ends[class] = ends[class - 1] * 10;
        class += 1;
    }
    ends
};

/// The number of classes.
pub const LIFETIMES: usize = LIFETIME_ENDS_NS.len() + 1;

/// The first counter of a node of lifetimes has the sum of those that are counted in its others, in units.
pub const SUM: usize = 0;

/// Classes of lifetimes in a node.
const LIFETIMES_IN_NODE: usize = COUNTERS - 1;

/// Where blocks are counted that lived so long.
pub fn of_lifetime(units: u64) -> Counted {
    let ns = units << Stamp::UNIT_BITS;
    let class = LIFETIME_ENDS_NS.iter().filter(|&&end| end <= ns).count();
    of_lifetime_class(class)
}

/// Where blocks of a class are counted.
pub const fn of_lifetime_class(class: usize) -> Counted {
    Counted {
        group: Group(FIRST_LIFETIMES + (class / LIFETIMES_IN_NODE) as u16),
        counter: 1 + class % LIFETIMES_IN_NODE,
    }
}

/// Groups: errors and time have the first one.
const FIRST_LIFETIMES: u16 = Group::SELDOM.0 + 1;
const FIRST_BIRTHS: u16 = of_lifetime_class(LIFETIMES - 1).group.0 + 1;

/// The groups of lifetimes.
pub const fn is_of_lifetimes(group: Group) -> bool {
    group.0 >= FIRST_LIFETIMES && group.0 < FIRST_BIRTHS
}

/// How many spans the time since the image began has: the first second, and then two for each time that it doubles.
pub const BIRTHS: usize = span_at((1 << Stamp::BITS) - 1) + 1;

/// Where bytes are counted that are live and were made then.
pub const fn of_birth(made: Stamp) -> Counted {
    of_span(span_at(made.0))
}

/// Where bytes are counted that were made in a span.
pub const fn of_span(span: usize) -> Counted {
    Counted {
        group: Group(FIRST_BIRTHS + (span / COUNTERS) as u16),
        counter: span % COUNTERS,
    }
}

/// The span of a number of units: the first second is span 0, then each half of an octave is one.
const fn span_at(units: u32) -> usize {
    let half_seconds = ((units as u64) << Stamp::UNIT_BITS) / HALF_SECOND_NS;
    match half_seconds.checked_ilog2() {
        None | Some(0) => 0,
        Some(octave) => (2 * octave as usize - 1) + (half_seconds >> (octave - 1) & 1) as usize,
    }
}

const HALF_SECOND_NS: u64 = 500_000_000;

/// When a span begins, in nanoseconds after the image began. It ends where the next one begins.
pub const fn span_begins_ns(span: usize) -> u64 {
    match span {
        0 => 0,
        _ => ((2 + (span as u64 - 1) % 2) * HALF_SECOND_NS) << ((span - 1) / 2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    const SECOND_NS: u64 = 1_000_000_000;

    #[test]
    fn a_stamp_lasts_for_39_hours() {
        let hours = 3600 * SECOND_NS;
        let stamp = Stamp::at(39 * hours).expect("a stamp");
        assert!(39 * hours - stamp.ns() < Stamp::UNIT_NS);
        assert_eq!(Stamp::from_bits(stamp.bits()), stamp);
        assert_eq!(Stamp::at(40 * hours), None);
        // What was made before may be freed later.
        let year = 365 * 24 * hours;
        let units = stamp.units_until(year);
        assert_eq!(units << Stamp::UNIT_BITS >> 20, (year - 39 * hours) >> 20);
        assert_eq!(stamp.units_until(0), 0);
    }

    #[test]
    fn a_lifetime_is_in_the_class_that_ends_behind_it() {
        assert_eq!(LIFETIME_ENDS_NS[3], SECOND_NS);
        let class = |ns: u64| {
            let counted = of_lifetime(ns >> Stamp::UNIT_BITS);
            (0..LIFETIMES).find(|&class| of_lifetime_class(class) == counted)
        };
        assert_eq!(class(0), Some(0));
        for (index, end) in LIFETIME_ENDS_NS.into_iter().enumerate() {
            assert_eq!(class(end - Stamp::UNIT_NS), Some(index));
            assert_eq!(class(end + Stamp::UNIT_NS), Some(index + 1));
        }
        assert_eq!(class(u64::MAX), Some(LIFETIMES - 1));
    }

    #[test]
    fn spans_follow_each_other_without_a_gap() {
        assert_eq!((span_begins_ns(0), span_begins_ns(1)), (0, SECOND_NS));
        assert_eq!(span_begins_ns(2), SECOND_NS * 3 / 2);
        assert_eq!(
            (span_begins_ns(3), span_begins_ns(4)),
            (2 * SECOND_NS, 3 * SECOND_NS)
        );
        for span in 1..BIRTHS {
            let begins = span_begins_ns(span);
            assert!(begins > span_begins_ns(span - 1));
            let at = |ns: u64| of_birth(Stamp::at(ns).expect("a stamp"));
            assert_eq!(at(begins + Stamp::UNIT_NS), of_span(span));
            assert_eq!(at(begins - Stamp::UNIT_NS), of_span(span - 1));
        }
        assert!(span_begins_ns(BIRTHS) > Stamp::from_bits(u32::MAX >> 1).ns());
    }

    #[test]
    fn each_has_a_counter_of_its_own() {
        let lifetimes = (0..LIFETIMES).map(of_lifetime_class);
        let births = (0..BIRTHS).map(of_span);
        let all: Vec<(u16, usize)> = { lifetimes.chain(births) }
            .map(|counted| (counted.group.0, counted.counter))
            .collect();
        let apart: HashSet<(u16, usize)> = all.iter().copied().collect();
        assert_eq!(apart.len(), LIFETIMES + BIRTHS);
        for (group, counter) in all {
            assert!(counter < COUNTERS && group != Group::SELDOM.0);
            assert!(!is_of_lifetimes(Group(group)) || counter != SUM);
        }
    }
}
