//! The channel of latency samples: one producer (the thread), one consumer (the writer).
//!
//! A bounded ring in shared memory after Lamport ("Specifying Concurrent Program Modules", 1983):
//! the producer owns `head`, the consumer owns `tail`, both only increase, and are taken modulo the
//! ring's length as indexes. The producer looks at the consumer's cache line only once in a
//! quarter of the ring's length, or when the ring may be full.
//!
//! A full ring refuses the sample. Refusals need no counter: every timed call is counted
//! (`FunctionCounters::timed`), so a sample that the consumer did not receive was dropped.
//!
//! A new ring has memory for a few entries only: most threads never push more, and new memory has to be cleared. The producer
//! asks for the rest before it needs it, and refuses samples if there is no memory.
//!
//! The producer may be interrupted between its store of the entry and that of `head` by its own signal
//! handler, which pushes too. Then one of them overwrites the other, or `head` steps back over
//! what the consumer has taken: the consumer sees a `head` behind its `tail` and waits until it is
//! ahead again. Samples are lost, at most those of the handler and one more, and are counted as dropped; counters
//! are not affected. A guard against it would cost time in every push; the loss is rare.

use crate::sample::Sample;
use crate::sync::{AtomicU64, Ordering};

/// How many samples a ring holds.
#[cfg(not(loom))]
pub const CAPACITY: usize = 16 * 1024;
/// How many samples a ring holds, few enough to explore.
#[cfg(loom)]
pub const CAPACITY: usize = 4;

const _: () = assert!(CAPACITY.is_power_of_two());
/// How many samples the producer pushes without looking for the consumer.
const QUARTER: u64 = (CAPACITY / 4) as u64;
/// How many entries of a new ring have their memory.
#[cfg(not(loom))]
const FEW: u64 = 256;
/// As above.
#[cfg(loom)]
const FEW: u64 = 1;
const _: () = assert!(FEW <= QUARTER);

/// The ring of one thread.
#[derive(Debug)]
#[repr(C, align(128))]
pub struct Ring {
    head: AtomicU64,
    /// The producer looks at `tail` again once `head` is [`FEW`] past this: in a new ring, where its memory ends.
    looked_at: AtomicU64,
    /// Whether there is memory for all entries (1), or for the first [`FEW`] of them (0).
    whole: AtomicU64,
    tail: OwnLine,
    entries: [AtomicU64; CAPACITY],
}

/// The consumer's line, apart from the producer's (128 bytes: adjacent lines are fetched in pairs).
#[derive(Debug)]
#[repr(C, align(128))]
struct OwnLine(AtomicU64);

impl Ring {
    /// Bytes of a new ring.
    #[cfg(not(loom))]
    pub const FIRST_BYTES: usize =
        std::mem::offset_of!(Ring, entries) + FEW as usize * size_of::<AtomicU64>();

    /// An empty ring, for tests; in a region a ring begins as zeroes, and so without all of its memory.
    #[cfg(any(test, loom))]
    pub fn new() -> Box<Ring> {
        Box::new(Ring {
            head: AtomicU64::new(0),
            looked_at: AtomicU64::new(0),
            whole: AtomicU64::new(1),
            tail: OwnLine(AtomicU64::new(0)),
            entries: std::array::from_fn(|_| AtomicU64::new(0)),
        })
    }

    /// Whether there is memory for all entries.
    pub fn is_whole(&self) -> bool {
        self.whole.load(Ordering::Relaxed) != 0
    }

    /// There is memory for all entries.
    pub fn set_whole(&self) {
        self.whole.store(1, Ordering::Relaxed);
    }

    /// Pushes a sample; for the producer. False where the ring is full and the sample is lost.
    ///
    /// Calls `crowded` now and then while a quarter of the ring, or more, waits for the consumer; and where
    /// the ring has not all of its memory, before that is needed.
    #[inline(always)]
    pub fn push(&self, sample: Sample, crowded: impl FnOnce()) -> bool {
        let mut head = self.head.load(Ordering::Relaxed);
        let past = head.wrapping_sub(self.looked_at.load(Ordering::Relaxed));
        if past.cast_signed() >= FEW.cast_signed() {
            let waiting;
            (head, waiting) = self.look(head);
            if waiting >= CAPACITY as u64 {
                return false;
            }
            if waiting >= QUARTER || !self.is_whole() {
                crowded();
            }
            if head >= FEW && !self.is_whole() {
                return false;
            }
        }
        self.entries[head as usize % CAPACITY].store(sample.to_bits(), Ordering::Relaxed);
        // Publishes the entry: pairs with the Acquire load in `drain`.
        self.head.store(head.wrapping_add(1), Ordering::Release);
        true
    }

    /// Looks how many entries wait for the consumer, and sets when to look again: after a quarter of
    /// the ring's length, or once the ring may be full. Gives the head and how many wait.
    #[cold]
    #[inline(never)]
    fn look(&self, head: u64) -> (u64, u64) {
        // Pairs with the Release store in `drain`: the entries that it freed have been read.
        let tail = self.tail.0.load(Ordering::Acquire);
        // A head that stepped back behind the tail catches up.
        let head = if head.wrapping_sub(tail) > CAPACITY as u64 {
            tail
        } else {
            head
        };
        let waiting = head.wrapping_sub(tail);
        let room = (CAPACITY as u64).saturating_sub(waiting);
        let mut again = head.wrapping_add(room.min(QUARTER));
        if !self.is_whole() {
            // Not beyond what has its memory; and once there, at every push.
            again = again.min(head.max(FEW));
        }
        self.looked_at
            .store(again.wrapping_sub(FEW), Ordering::Relaxed);
        (head, waiting)
    }

    /// Shows the samples that were pushed since the head was at `from`, as far as the ring still has them, and takes none: for whoever
    /// is not the consumer. Returns where the head is now. While the producer pushes, some of them may be newer ones.
    pub fn look_back(&self, from: u64, mut see: impl FnMut(Sample)) -> u64 {
        let head = self.head.load(Ordering::Acquire);
        // A head that stepped back has nothing new.
        let new = head.wrapping_sub(from).cast_signed().max(0).cast_unsigned();
        let kept = match self.is_whole() {
            true => CAPACITY as u64,
            false => FEW,
        };
        for back in (1..=new.min(kept).min(head)).rev() {
            let entry = &self.entries[head.wrapping_sub(back) as usize % CAPACITY];
            see(Sample::from_bits(entry.load(Ordering::Relaxed)));
        }
        head
    }

    /// Takes every sample there is; for the consumer. Returns how many.
    pub fn drain(&self, mut take: impl FnMut(Sample)) -> usize {
        let tail = self.tail.0.load(Ordering::Relaxed);
        let available = self.head.load(Ordering::Acquire).wrapping_sub(tail);
        if available > CAPACITY as u64 {
            // The head is behind (see above), or the memory is not what it should be.
            return 0;
        }
        for position in 0..available {
            let entry = &self.entries[tail.wrapping_add(position) as usize % CAPACITY];
            take(Sample::from_bits(entry.load(Ordering::Relaxed)));
        }
        // Frees the entries: pairs with the Acquire load in `look`.
        self.tail
            .0
            .store(tail.wrapping_add(available), Ordering::Release);
        available as usize
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::functions::Function;

    fn sample(ticks: u64) -> Sample {
        Sample::new(Function::Malloc, ticks)
    }

    #[test]
    fn gives_back_what_was_pushed_in_order() {
        let ring = Ring::new();
        for round in 0..5 {
            for ticks in 0..CAPACITY as u64 {
                assert!(ring.push(sample(round + ticks), || ()));
            }
            assert!(!ring.push(sample(0), || ()), "a full ring refuses");
            let mut expected = round;
            let taken = ring.drain(|sample| {
                assert_eq!(sample.ticks(), expected);
                expected += 1;
            });
            assert_eq!(taken, CAPACITY);
        }
        assert_eq!(ring.drain(|_| unreachable!()), 0);
    }

    #[test]
    fn a_look_back_sees_the_last_samples_and_takes_none() {
        let ring = Ring::new();
        let seen = |from| {
            let mut ticks = Vec::new();
            let head = ring.look_back(from, |sample| ticks.push(sample.ticks()));
            (head, ticks)
        };
        assert_eq!(seen(0), (0, vec![]));
        for ticks in 0..5 {
            assert!(ring.push(sample(ticks), || ()));
        }
        assert_eq!(seen(0), (5, vec![0, 1, 2, 3, 4]));
        assert_eq!(ring.drain(|_| ()), 5);
        assert_eq!(seen(3), (5, vec![3, 4]), "also what was taken");
        assert_eq!(seen(5), (5, vec![]));
        assert_eq!(seen(9), (5, vec![]), "the head has stepped back");
        for round in 0..3 {
            for ticks in 0..CAPACITY as u64 {
                assert!(ring.push(sample(round + ticks), || ()));
            }
            ring.drain(|_| ());
        }
        let (head, last) = seen(5);
        assert_eq!(head, 5 + 3 * CAPACITY as u64);
        assert_eq!(last.len(), CAPACITY, "no more than the ring holds");
        assert_eq!(last.last(), Some(&(2 + CAPACITY as u64 - 1)));
    }

    #[test]
    fn tells_the_producer_while_a_quarter_waits() {
        let ring = Ring::new();
        let calls = std::cell::Cell::new(0);
        let push_quarter = || {
            for ticks in 0..QUARTER {
                assert!(ring.push(sample(ticks), || calls.set(calls.get() + 1)));
            }
        };
        push_quarter();
        assert_eq!(calls.get(), 0);
        push_quarter();
        push_quarter();
        assert_eq!(calls.get(), 2);
        ring.drain(|_| ());
        push_quarter();
        assert_eq!(calls.get(), 2, "the consumer has caught up");
    }

    #[test]
    fn a_ring_without_all_of_its_memory_stays_in_what_it_has() {
        for looked_at in [0, 5_u64.wrapping_sub(FEW)] {
            let ring = Ring::new();
            ring.whole.store(0, Ordering::Relaxed);
            // For any index at which the producer first looks at the consumer.
            for _ in 0..5 {
                assert!(ring.push(sample(1), || ()));
            }
            ring.looked_at.store(looked_at, Ordering::Relaxed);
            let pushed = (0..2 * CAPACITY)
                .filter(|_| ring.push(sample(1), || ()))
                .count();
            assert_eq!(pushed as u64 + 5, FEW);
            let beyond = &ring.entries[FEW as usize..];
            assert!(
                beyond
                    .iter()
                    .all(|entry| entry.load(Ordering::Relaxed) == 0)
            );
            // The rest stays without memory after the consumer has caught up.
            assert_eq!(ring.drain(|_| ()) as u64, FEW);
            assert!(!ring.push(sample(2), || ()));
            for ticks in 0..CAPACITY as u64 {
                assert!(ring.push(sample(ticks), || ring.set_whole()));
            }
            let mut expected = 0;
            ring.drain(|sample| {
                assert_eq!(sample.ticks(), expected);
                expected += 1;
            });
            assert_eq!(expected, CAPACITY as u64);
        }
    }

    #[test]
    fn a_head_that_stepped_back_is_waited_for() {
        let ring = Ring::new();
        ring.push(sample(1), || ());
        ring.push(sample(2), || ());
        assert_eq!(ring.drain(|_| ()), 2);
        ring.head.store(1, Ordering::Release);
        assert_eq!(ring.drain(|_| unreachable!()), 0);
        ring.push(sample(3), || ());
        ring.push(sample(4), || ());
        let mut taken = Vec::new();
        ring.drain(|sample| taken.push(sample.ticks()));
        assert_eq!(taken, [4]);
        // The same if the producer looks at the consumer just then.
        ring.head.store(1, Ordering::Release);
        ring.looked_at
            .store(1_u64.wrapping_sub(FEW), Ordering::Relaxed);
        assert!(ring.push(sample(5), || ()));
        ring.drain(|sample| taken.push(sample.ticks()));
        assert_eq!(taken, [4, 5]);
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use crate::functions::Function;
    use loom::sync::Arc;

    /// Every interleaving of a producer that overfills the ring and a consumer: the consumer gets exactly the
    /// accepted samples, in order.
    #[test]
    fn no_sample_is_lost_or_seen_twice() {
        loom::model(|| {
            let ring: Arc<Ring> = Arc::from_std(std::sync::Arc::from(Ring::new()));
            let producer = {
                let ring = ring.clone();
                loom::thread::spawn(move || {
                    (1..=6u64)
                        .filter(|&n| ring.push(Sample::new(Function::Read, n), || ()))
                        .collect::<Vec<_>>()
                })
            };
            let mut taken = Vec::new();
            for _ in 0..2 {
                ring.drain(|sample| taken.push(sample.ticks()));
            }
            let accepted = producer.join().unwrap();
            ring.drain(|sample| taken.push(sample.ticks()));
            assert_eq!(taken, accepted);
        });
    }
}
