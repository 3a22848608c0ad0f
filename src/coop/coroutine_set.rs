//! A set of coroutine pointers that any thread may read and change.
//!
//! A pointer hashes to one bucket of two cache lines, and is only stored there. So a removal leaves no gap that would
//! end a search too early.

use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// How many pointers a bucket has room for.
const BUCKET: usize = 16;

#[repr(align(64))]
struct Bucket([AtomicU64; BUCKET]);

/// A set of coroutines.
pub struct CoroutineSet<const BUCKETS: usize> {
    buckets: [Bucket; BUCKETS],
    count: AtomicUsize,
}

impl<const BUCKETS: usize> CoroutineSet<BUCKETS> {
    /// Returns an empty set.
    pub const fn new() -> Self {
        CoroutineSet {
            buckets: [const { Bucket([const { AtomicU64::new(0) }; BUCKET]) }; BUCKETS],
            count: AtomicUsize::new(0),
        }
    }

    fn bucket(&self, id: u64) -> &[AtomicU64; BUCKET] {
        let hash = id.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        &self.buckets[hash as usize % BUCKETS].0
    }

    /// Adds a coroutine. Returns false if its bucket is full.
    #[inline(never)]
    pub fn insert(&self, coroutine: NonNull<c_void>) -> bool {
        let id = coroutine.addr().get() as u64;
        let is_in = self.bucket(id).iter().any(|place| {
            let relaxed = Ordering::Relaxed;
            place.load(relaxed) == 0 && place.compare_exchange(0, id, relaxed, relaxed).is_ok()
        });
        self.count.fetch_add(usize::from(is_in), Ordering::Relaxed);
        is_in
    }

    /// Removes a coroutine. Returns whether it was in the set.
    #[inline(never)]
    pub fn remove(&self, coroutine: NonNull<c_void>) -> bool {
        if self.count.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let id = coroutine.addr().get() as u64;
        let place = self
            .bucket(id)
            .iter()
            .find(|place| place.load(Ordering::Relaxed) == id);
        if let Some(place) = place {
            place.store(0, Ordering::Relaxed);
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
        place.is_some()
    }

    /// Whether a coroutine is in the set.
    #[inline(never)]
    pub fn contains(&self, coroutine: NonNull<c_void>) -> bool {
        if self.count.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let id = coroutine.addr().get() as u64;
        let bucket = self.bucket(id).iter();
        bucket
            .map(|place| place.load(Ordering::Relaxed))
            .any(|in_place| in_place == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coroutine(number: usize) -> NonNull<c_void> {
        NonNull::new(std::ptr::without_provenance_mut(number * 4096)).unwrap()
    }

    #[test]
    fn what_was_put_in_is_in_until_it_is_taken_out() {
        static MARKS: CoroutineSet<2048> = CoroutineSet::new();
        for number in 1..=10_000 {
            assert!(MARKS.insert(coroutine(number)), "{number}");
        }
        assert!(MARKS.contains(coroutine(77)) && !MARKS.contains(coroutine(10_001)));
        assert!(MARKS.remove(coroutine(77)) && !MARKS.remove(coroutine(77)));
        assert!(!MARKS.contains(coroutine(77)) && MARKS.contains(coroutine(78)));
    }

    #[test]
    fn a_full_bucket_refuses() {
        static MARKS: CoroutineSet<2> = CoroutineSet::new();
        let id = coroutine(1);
        for _ in 0..BUCKET {
            assert!(MARKS.insert(id));
        }
        assert!(!MARKS.insert(id));
    }
}
