//! Where the parts of a region are: a table at its head, so that a part can be added, or get longer, without moving what a reader
//! knows of the others.

use std::mem::{align_of, size_of};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

/// A part of a region, by its place in the table. New ones come last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Part {
    /// Notes of programs that were started ([`Starts`](crate::starts::Starts)).
    Starts,
    /// Notes of how children ended ([`Ends`](crate::ends::Ends)).
    Ends,
    /// The counters of threads that have no slot ([`Counters`](crate::slot::Counters)).
    Common,
    /// Entries for files ([`FileEntry`](crate::file::FileEntry)).
    Files,
    /// Slots for threads ([`Slot`](crate::slot::Slot)).
    Slots,
    /// Entries for coroutines ([`Coroutine`](crate::coroutine::Coroutine)).
    Coroutines,
    /// Nodes of call stacks ([`Node`](crate::stacks::Node)).
    Nodes,
    /// Loaded objects whose code is in them ([`Module`](crate::stacks::Module)).
    Modules,
    /// Functions of interpreted code ([`InterpretedCode`](crate::stacks::InterpretedCode)).
    Interpreted,
    /// The calls of seldom functions by size ([`SeldomSizes`](crate::sizes::SeldomSizes)).
    SeldomSizes,
}

/// How many parts the table has room for.
const MOST: usize = 16;

/// Where a part is, in bytes from the start of the region; zeroes where the region has no such part.
#[derive(Debug)]
#[repr(C)]
struct Extent {
    from: AtomicU64,
    bytes: AtomicU64,
}

/// The table.
#[derive(Debug)]
#[repr(C)]
pub struct Parts([Extent; MOST]);

impl Parts {
    /// Says where a part is.
    pub fn set(&self, part: Part, place: Range<usize>) {
        let extent = &self.0[part as usize];
        extent.from.store(place.start as u64, Ordering::Relaxed);
        extent.bytes.store(place.len() as u64, Ordering::Relaxed);
    }

    /// Where a part is, by the region's own word, as far as it lies within a memory of this length.
    pub fn get(&self, part: Part, length: usize) -> Range<usize> {
        let extent = &self.0[part as usize];
        let within = |bytes: u64| usize::try_from(bytes).map_or(length, |bytes| bytes.min(length));
        let from = within(extent.from.load(Ordering::Relaxed));
        let bytes = within(extent.bytes.load(Ordering::Relaxed));
        from..from.saturating_add(bytes).min(length)
    }

    /// Where the entries of a part begin that is made of `T`s, and how many of them a memory of this length has, `most` at most;
    /// none where they are not aligned.
    pub(super) fn entries<T>(&self, part: Part, length: usize, most: usize) -> (usize, usize) {
        let place = self.get(part, length);
        if !place.start.is_multiple_of(align_of::<T>()) {
            return (0, 0);
        }
        (place.start, (place.len() / size_of::<T>()).min(most))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn none() -> Parts {
        let extent = || Extent {
            from: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        };
        Parts(std::array::from_fn(|_| extent()))
    }

    #[test]
    fn a_part_is_never_outside_of_the_memory() {
        let parts = none();
        assert_eq!(parts.get(Part::Slots, 100), 0..0);
        parts.set(Part::Slots, 40..60);
        assert_eq!(parts.get(Part::Slots, 100), 40..60);
        assert_eq!(parts.get(Part::Slots, 50), 40..50);
        assert_eq!(parts.get(Part::Slots, 30), 30..30);
        parts.0[Part::Slots as usize]
            .bytes
            .store(u64::MAX, Ordering::Relaxed);
        assert_eq!(parts.get(Part::Slots, 100), 40..100);
        parts.0[Part::Slots as usize]
            .from
            .store(u64::MAX, Ordering::Relaxed);
        assert_eq!(parts.get(Part::Slots, 100), 100..100);
    }

    #[test]
    fn entries_are_whole_and_aligned() {
        let parts = none();
        parts.set(Part::Files, 16..16 + 8 * 5 + 7);
        assert_eq!(parts.entries::<u64>(Part::Files, 1000, 10), (16, 5));
        assert_eq!(parts.entries::<u64>(Part::Files, 1000, 3), (16, 3));
        assert_eq!(parts.entries::<u64>(Part::Files, 40, 10), (16, 3));
        parts.set(Part::Files, 12..100);
        assert_eq!(parts.entries::<u64>(Part::Files, 1000, 10), (0, 0));
    }
}
