//! A number with one writer.
//!
//! A counter belongs to one thread, so that other threads need not be thought of; but a signal handler
//! of that very thread may count in the middle of an addition, which therefore must not be split (`arch/`).

use crate::arch;
use crate::sync::{AtomicU64, Ordering};

/// A counter that only its own thread adds to, and anyone may read.
#[derive(Debug)]
#[repr(transparent)]
pub struct Counter(AtomicU64);

impl Counter {
    /// A counter at zero.
    #[cfg(not(loom))]
    pub const fn new() -> Counter {
        Counter(AtomicU64::new(0))
    }

    /// The value.
    #[inline(always)]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// The value, of a counter that goes both ways.
    #[inline(always)]
    pub fn get_signed(&self) -> i64 {
        self.get().cast_signed()
    }

    /// Where the value is.
    #[cfg(not(loom))]
    pub(crate) fn as_ptr(&self) -> *mut u64 {
        self.0.as_ptr()
    }

    /// Sets the value; for the owner.
    #[inline(always)]
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// Adds, wrapping; for the owner, and for its signal handlers.
    #[inline(always)]
    pub fn add(&self, by: u64) {
        arch::add(&self.0, by);
    }

    /// Adds, wrapping; for many threads at once.
    #[inline]
    pub fn add_shared(&self, by: u64) -> u64 {
        self.0.fetch_add(by, Ordering::Relaxed).wrapping_add(by)
    }

    /// Raises the value to at least this one, both taken as signed; for many threads at once.
    pub fn raise_shared(&self, to: i64) {
        let mut seen = self.get();
        while seen.cast_signed() < to {
            match self.0.compare_exchange_weak(
                seen,
                to.cast_unsigned(),
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(now) => seen = now,
            }
        }
    }
}

#[cfg(not(loom))]
impl Default for Counter {
    fn default() -> Counter {
        Counter::new()
    }
}

/// How a counter is added to: whether its writer is alone.
pub trait Adder {
    /// Adds, wrapping.
    fn add(counter: &Counter, by: u64);
}

/// The thread is the counter's only writer.
#[derive(Debug)]
pub enum Alone {}

/// Several threads share the counter.
#[derive(Debug)]
pub enum Shared {}

impl Adder for Alone {
    #[inline(always)]
    fn add(counter: &Counter, by: u64) {
        counter.add(by);
    }
}

impl Adder for Shared {
    #[inline]
    fn add(counter: &Counter, by: u64) {
        counter.add_shared(by);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn adds_and_wraps() {
        let counter = Counter::new();
        counter.add(5);
        counter.add(7u64.wrapping_neg());
        assert_eq!(counter.get_signed(), -2);
        Alone::add(&counter, 2);
        Shared::add(&counter, 3);
        assert_eq!(counter.get(), 3);
    }

    #[test]
    fn raises_only_upwards() {
        let counter = Counter::new();
        counter.raise_shared(9);
        counter.raise_shared(4);
        counter.raise_shared(-1);
        assert_eq!(counter.get(), 9);
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use loom::sync::Arc;

    fn zero() -> Arc<Counter> {
        Arc::new(Counter(AtomicU64::new(0)))
    }

    /// Two threads publish what they allocated, as slots do. The sum is exact, and the peak is its largest value.
    #[test]
    fn shared_sums_are_exact_and_the_peak_is_the_most() {
        loom::model(|| {
            let (live, peak) = (zero(), zero());
            let publish = |by: u64| {
                let (live, peak) = (live.clone(), peak.clone());
                loom::thread::spawn(move || {
                    let total = live.add_shared(by);
                    peak.raise_shared(total.cast_signed());
                    total
                })
            };
            let threads = [publish(5), publish(7)];
            let totals = threads.map(|thread| thread.join().unwrap());
            assert_eq!(live.get(), 12);
            assert_eq!(peak.get(), totals.into_iter().max().unwrap());
            assert_eq!(peak.get(), 12);
        });
    }

    /// A reader beside the owner sees the counter only grow, and sees its final value after the owner has finished.
    #[test]
    fn a_reader_never_sees_a_counter_go_back() {
        loom::model(|| {
            let counter = zero();
            let owner = {
                let counter = counter.clone();
                loom::thread::spawn(move || {
                    for _ in 0..3 {
                        counter.add(1);
                    }
                })
            };
            let seen = [counter.get(), counter.get()];
            assert!(seen[0] <= seen[1] && seen[1] <= 3, "{seen:?}");
            owner.join().unwrap();
            assert_eq!(counter.get(), 3);
        });
    }
}
