//! A node of the trie, and the counters of a leaf.

use std::ptr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::{Key, Line};
use crate::counter::{Adder, Counter};

/// Where the code is that a return address leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The number of the module; none for code that is in no loaded object.
    pub module: Option<u32>,
    /// The return address, less the module's load bias: as the module's file has it.
    pub offset: u64,
    /// Whether it is in an interpreter's loop, which runs the code of [other frames](Key::interpreted).
    pub is_interpreter: bool,
}

/// The counters of calls.
#[derive(Debug)]
#[repr(C)]
pub struct Calls {
    /// Calls.
    pub calls: Counter,
    /// Bytes asked for.
    pub requested_bytes: Counter,
    /// Calls that failed.
    pub errors: Counter,
    /// Bytes moved.
    pub moved_bytes: Counter,
    /// TSC ticks of the calls that were timed.
    pub ticks: Counter,
    _unused: Counter,
}

/// The counters of calls that make blocks of the heap.
///
/// A thread that frees a block takes it from a leaf of its own, so what is live in one may be below zero: the sum over all
/// owners counts.
#[derive(Debug)]
#[repr(C)]
pub struct Blocks {
    /// Calls.
    pub calls: Counter,
    /// Bytes asked for.
    pub requested_bytes: Counter,
    /// Blocks that were made less those that were freed.
    live_blocks: Counter,
    /// Their bytes, by what they really take.
    live_bytes: Counter,
    /// Blocks that their thread freed before it made another.
    pub temporary: Counter,
    /// What `live_bytes` was at the peak that the node names.
    live_bytes_at_peak: Counter,
}

/// A node of the trie; one cache line.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Node {
    key: AtomicU64,
    parent: AtomicU32,
    /// Of a frame, the number of the module plus one; 0 is none. Of blocks, the number of the last peak since which their live
    /// bytes have changed.
    number: AtomicU32,
    /// Of a frame, its offset, and whether it is an interpreter's; of a leaf, its counters.
    words: [Counter; 6],
}

const _: () = assert!(size_of::<Node>() == 64);
const _: () = assert!(size_of::<Calls>() == size_of::<[Counter; 6]>());
const _: () = assert!(size_of::<Blocks>() == size_of::<[Counter; 6]>());

/// In the second word of a frame: it is an interpreter's.
const INTERPRETER: u64 = 1;
/// It is, or one of its callers' frames.
const IN_INTERPRETER: u64 = 2;

impl Node {
    /// Says what the node is, before it is shown to other threads.
    ///
    /// `is_in_interpreter` says whether a caller's frame is an interpreter's.
    pub fn begin(&self, parent: u32, key: Key, place: Place, is_in_interpreter: bool) {
        self.key.store(key.0, Ordering::Relaxed);
        self.parent.store(parent, Ordering::Relaxed);
        if !key.is_leaf() {
            let module = place.module.map_or(0, |module| module.wrapping_add(1));
            self.number.store(module, Ordering::Relaxed);
            self.words[0].set(place.offset);
            let is_interpreter = u64::from(place.is_interpreter);
            let is_in_one = u64::from(is_in_interpreter | place.is_interpreter);
            self.words[1].set((is_interpreter * INTERPRETER) | (is_in_one * IN_INTERPRETER));
        }
    }

    /// Says that the node is a frame of interpreted code, before it is shown to other threads.
    pub fn begin_interpreted(&self, parent: u32, key: Key, line: Line) {
        self.key.store(key.0, Ordering::Relaxed);
        self.parent.store(parent, Ordering::Relaxed);
        self.number.store(u32::from(line.code), Ordering::Relaxed);
        self.words[0].set(u64::from(line.line));
    }

    /// Whether a frame is an interpreter's, or one of its callers' is.
    #[inline(always)]
    pub fn is_in_interpreter(&self) -> bool {
        self.words[1].get() & IN_INTERPRETER != 0
    }

    /// Which line it is, of a frame of interpreted code.
    pub fn line(&self) -> Line {
        Line {
            code: self.number.load(Ordering::Relaxed) as u16,
            line: self.words[0].get() as u32,
        }
    }

    /// Whether the node is this one.
    #[inline(always)]
    pub fn is(&self, parent: u32, key: Key) -> bool {
        self.key.load(Ordering::Relaxed) == key.0 && self.parent() == parent
    }

    /// The number of the node that it goes on from.
    #[inline(always)]
    pub fn parent(&self) -> u32 {
        self.parent.load(Ordering::Relaxed)
    }

    /// What it stands for.
    #[inline(always)]
    pub fn key(&self) -> Key {
        Key(self.key.load(Ordering::Relaxed))
    }

    /// Where the code is, of a node that is no leaf.
    pub fn place(&self) -> Place {
        Place {
            module: self.number.load(Ordering::Relaxed).checked_sub(1),
            offset: self.words[0].get(),
            is_interpreter: self.words[1].get() & INTERPRETER != 0,
        }
    }

    /// The counters of a leaf without blocks.
    #[inline(always)]
    pub fn calls(&self) -> &Calls {
        // SAFETY: `Calls` is as large as the words, and made of counters, too.
        unsafe { &*ptr::from_ref(&self.words).cast() }
    }

    /// The counters of a leaf, or of a node beside one, by number.
    #[inline(always)]
    pub fn numbered(&self) -> &[Counter; 6] {
        &self.words
    }

    /// Whether anything was counted at a leaf, or at a node beside one.
    pub fn is_counted(&self) -> bool {
        self.key().is_leaf() && self.words.iter().any(|counter| counter.get() != 0)
    }

    /// The counters of a leaf with blocks.
    #[inline(always)]
    pub fn blocks(&self) -> &Blocks {
        // SAFETY: `Blocks` is as large as the words, and made of counters, too.
        unsafe { &*ptr::from_ref(&self.words).cast() }
    }

    /// Adds to the blocks of a leaf that are live, wrapping. `peak` is the number of the last peak of the heap: before the first
    /// change after it, what is live is kept.
    #[inline(always)]
    pub fn shift_live<A: Adder>(&self, peak: u32, blocks: u64, bytes: u64) {
        if self.number.load(Ordering::Relaxed) != peak {
            self.keep_peak(peak);
        }
        A::add(&self.blocks().live_blocks, blocks);
        A::add(&self.blocks().live_bytes, bytes);
    }

    #[cold]
    #[inline(never)]
    fn keep_peak(&self, peak: u32) {
        let seen = self.number.load(Ordering::Relaxed);
        let live = self.blocks().live_bytes.get();
        // A handler, or another thread, that comes in between keeps what it finds, and that is right.
        let first = self
            .number
            .compare_exchange(seen, peak, Ordering::Relaxed, Ordering::Relaxed);
        if first.is_ok() {
            self.blocks().live_bytes_at_peak.set(live);
        }
    }

    /// The blocks of a leaf that are live, and their bytes.
    pub fn live(&self) -> (i64, i64) {
        let blocks = self.blocks();
        (
            blocks.live_blocks.get_signed(),
            blocks.live_bytes.get_signed(),
        )
    }

    /// The bytes of a leaf that were live at the peak of this number.
    pub fn live_bytes_at_peak(&self, peak: u32) -> i64 {
        let blocks = self.blocks();
        let has_changed = self.number.load(Ordering::Relaxed) == peak;
        match has_changed {
            true => blocks.live_bytes_at_peak.get_signed(),
            false => blocks.live_bytes.get_signed(),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::counter::{Alone, Shared};
    use crate::functions::Function;
    use crate::stacks::{Called, LeafOwner};

    /// A node at its beginning.
    fn zeroed() -> Box<Node> {
        // SAFETY: a node is made of atomics, for which zeroes are valid.
        unsafe { Box::<Node>::new_zeroed().assume_init() }
    }

    #[test]
    fn what_was_live_at_a_peak_stays_known() {
        let node = zeroed();
        node.begin(
            1,
            Key::leaf(Called::of(Function::Malloc), LeafOwner::of_number(1)),
            NOWHERE,
            false,
        );
        node.shift_live::<Alone>(0, 1, 100);
        assert_eq!(node.live(), (1, 100));
        // Unchanged since the peak.
        assert_eq!(node.live_bytes_at_peak(1), 100);
        node.shift_live::<Alone>(1, 1, 50);
        node.shift_live::<Shared>(1, 2_u64.wrapping_neg(), 150_u64.wrapping_neg());
        assert_eq!((node.live(), node.live_bytes_at_peak(1)), ((0, 0), 100));
        // A second peak, at which nothing of it was live.
        assert_eq!(node.live_bytes_at_peak(2), 0);
        node.shift_live::<Alone>(2, 1, 8);
        assert_eq!(node.live_bytes_at_peak(2), 0);
        // More was freed than made, by a thread that frees for another.
        node.shift_live::<Alone>(2, 2_u64.wrapping_neg(), 20_u64.wrapping_neg());
        assert_eq!(node.live(), (-1, -12));
    }

    const NOWHERE: Place = Place {
        module: None,
        offset: 0,
        is_interpreter: false,
    };

    #[test]
    fn a_node_tells_what_it_was_begun_with() {
        let node = zeroed();
        let place = Place {
            module: Some(0),
            offset: 7,
            is_interpreter: false,
        };
        node.begin(3, Key::address(99), place, true);
        assert!(node.is_in_interpreter());
        assert!(node.is(3, Key::address(99)));
        assert!(!node.is(2, Key::address(99)));
        assert_eq!((node.parent(), node.place()), (3, place));
    }
}
