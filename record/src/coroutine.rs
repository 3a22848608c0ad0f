//! What is recorded of one coroutine: an entry of the region's table of coroutines.
//!
//! The table is a cache of [`WAYS`] entries to a set: a coroutine has its entry in the set that its pointer hashes to.
//! If all of them are taken, the one that was used least is folded into the first entry of the table, which is
//! for all coroutines without an entry. A coroutine may move between threads, so every addition is a locked one.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::counter::Counter;
use crate::text::Text;

/// Entries of a set.
pub const WAYS: usize = 8;

/// How much of a name there is room for.
pub const NAME_BYTES: usize = 48;

/// Of an entry's pointer: the coroutine is no more. No program has memory at such addresses.
pub const ENDED: u64 = 1 << 63;

/// Of an entry, in the place of a pointer: it is the runtime's own. No program has memory at such addresses either.
pub const RUNTIME: u64 = 1 << 62;

/// A coroutine.
#[derive(Debug)]
#[repr(C, align(128))]
pub struct Coroutine {
    /// The pointer by which the runtime knows it; 0 where the entry is free.
    id: AtomicU64,
    /// Calls of interposed functions.
    pub calls: Counter,
    /// Bytes that they moved.
    pub moved_bytes: Counter,
    /// Calls that had to wait.
    pub waits: Counter,
    /// Time of the waits.
    pub wait_ticks: Counter,
    /// Allocation calls that made a block.
    pub allocations: Counter,
    /// Bytes that it allocated less bytes that it freed.
    pub live_bytes: Counter,
    /// Blocks that it allocated less blocks that it freed.
    pub live_blocks: Counter,
    /// Its name; empty where the runtime gives none.
    pub name: Text<NAME_BYTES>,
}

const _: () = assert!(size_of::<Coroutine>() == 128);

impl Coroutine {
    /// The pointer by which the runtime knows it.
    pub fn id(&self) -> u64 {
        self.id.load(Ordering::Relaxed)
    }

    /// Makes a free entry that of a coroutine. False where another thread was faster.
    pub fn take(&self, from: u64, id: u64) -> bool {
        self.id
            .compare_exchange(from, id, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }

    /// All that it counts.
    fn counters(&self) -> [&Counter; 7] {
        [
            &self.calls,
            &self.moved_bytes,
            &self.waits,
            &self.wait_ticks,
            &self.allocations,
            &self.live_bytes,
            &self.live_blocks,
        ]
    }

    /// Moves what it counted to another entry, and begins anew.
    pub fn fold_into(&self, other: &Coroutine) {
        for (from, to) in self.counters().into_iter().zip(other.counters()) {
            let part = from.get();
            to.add_shared(part);
            from.add_shared(part.wrapping_neg());
        }
        self.name.set(b"");
    }
}

/// The set of entries that a coroutine may have: the first one's place among `entries`, which are all but the first.
pub fn set_of(id: u64, entries: usize) -> usize {
    // The last entry is the runtime's own.
    let sets = (entries.saturating_sub(1) / WAYS).max(1) as u64;
    // Pointers are multiples of something; the upper half of the product is not.
    let hash = id.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    (hash % sets) as usize * WAYS
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn sets_are_whole_and_within_the_table() {
        for id in (0..1 << 20).step_by(4096 + 64) {
            for entries in [4095, 4096] {
                let set = set_of(id, entries);
                assert!(set.is_multiple_of(WAYS) && set + WAYS < entries, "{id}");
            }
        }
        assert_eq!(set_of(77, 3), 0);
    }

    #[test]
    fn what_is_folded_is_moved() {
        // SAFETY: made of atomics, for which zeroes are valid.
        let [one, other]: [Coroutine; 2] = unsafe { std::mem::zeroed() };
        assert!(one.take(0, 7) && !one.take(0, 8));
        one.calls.add(3);
        one.live_bytes.add(5_u64.wrapping_neg());
        other.live_bytes.add(9);
        one.fold_into(&other);
        assert_eq!((other.calls.get(), other.live_bytes.get()), (3, 4));
        assert_eq!((one.calls.get(), one.live_bytes.get()), (0, 0));
    }
}
