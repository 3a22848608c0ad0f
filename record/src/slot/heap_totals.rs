//! What is live in the heap of the process image, over all threads.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::counter::Counter;

/// Live and peak bytes of the whole process image.
#[derive(Debug)]
#[repr(C, align(128))]
pub struct HeapTotals {
    /// What the threads have published of their live bytes.
    pub live_bytes: Counter,
    /// The most that `live_bytes` has been.
    pub peak_bytes: Counter,
    /// The peak that was marked last.
    marked_bytes: Counter,
    /// How many peaks have been marked: who counts what is live by call site keeps what it was at the last.
    marked_peaks: AtomicU32,
}

impl HeapTotals {
    /// How much larger a peak must be than the last that was marked: by a hundredth.
    const MARK_STEP: i64 = 100;

    /// Marks a peak, where what is live has become so much more than at the last one.
    pub fn mark_peak(&self) {
        let live = self.live_bytes.get_signed();
        let marked = self.marked_bytes.get_signed();
        if live > marked + marked / Self::MARK_STEP {
            self.marked_bytes.raise_shared(live);
            self.marked_peaks.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The number of the peak that was marked last; 0 where none was.
    #[inline(always)]
    pub fn marked_peak(&self) -> u32 {
        self.marked_peaks.load(Ordering::Relaxed)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_peak_is_marked_when_it_is_a_hundredth_higher() {
        let heap = HeapTotals {
            live_bytes: Counter::new(),
            peak_bytes: Counter::new(),
            marked_bytes: Counter::new(),
            marked_peaks: AtomicU32::new(0),
        };
        let mut marked = Vec::new();
        for live in [0, 5000, 5010, 5051, 4000, 5051, 6000] {
            heap.live_bytes.set(live);
            heap.mark_peak();
            marked.push((heap.marked_peak(), heap.marked_bytes.get()));
        }
        let expected = [
            (0, 0),
            (1, 5000),
            (1, 5000),
            (2, 5051),
            (2, 5051),
            (2, 5051),
            (3, 6000),
        ];
        assert_eq!(marked, expected);
    }
}
