//! Words that are read without a lock, while another thread may write them.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

/// Some words that belong together. They are read as they are written: a number that was odd, or has changed, says so.
pub struct Versioned<const N: usize> {
    version: AtomicU32,
    words: [AtomicUsize; N],
}

impl<const N: usize> Versioned<N> {
    /// All of them 0.
    pub const fn new() -> Versioned<N> {
        Versioned {
            version: AtomicU32::new(0),
            words: [const { AtomicUsize::new(0) }; N],
        }
    }

    /// The words; none where they are being written.
    pub fn get(&self) -> Option<[usize; N]> {
        let before = self.version.load(Ordering::Acquire);
        let words = std::array::from_fn(|index| self.words[index].load(Ordering::Acquire));
        let is_whole = before.is_multiple_of(2) && self.version.load(Ordering::Relaxed) == before;
        is_whole.then_some(words)
    }

    /// Writes them. For whoever is alone at work.
    pub fn set(&self, words: [usize; N]) {
        self.version.fetch_add(1, Ordering::AcqRel);
        self.finish(words);
    }

    /// Writes them, unless somebody else is at it, or was and was ended.
    pub fn try_set(&self, words: [usize; N]) {
        let version = self.version.load(Ordering::Relaxed);
        let (new, acquire, relaxed) = (version | 1, Ordering::AcqRel, Ordering::Relaxed);
        let exchanged = self
            .version
            .compare_exchange(version & !1, new, acquire, relaxed);
        if exchanged.is_ok() {
            self.finish(words);
        }
    }

    fn finish(&self, words: [usize; N]) {
        for (place, word) in self.words.iter().zip(words) {
            place.store(word, Ordering::Release);
        }
        self.version.fetch_add(1, Ordering::Release);
    }
}
