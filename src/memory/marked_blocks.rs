//! Which blocks need a closer look when they are freed: samples of the heap, and blocks of the arena.
//!
//! A free must not pay for a look at what almost no block is. So there is a small table with a number for each two hundred bytes or
//! so of addresses, which many others share. A block whose number is not 0 may be any block; another is known to be an ordinary one.
//! NULL has such a number, so the free of an ordinary block need not ask for NULL either.

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::arch;

/// How many marks the blocks have that share a number. From [`FOR_GOOD`] on that is not known any more, and they stay marked.
struct Marks([AtomicU8; 1 << INDEX_BITS]);

const INDEX_BITS: u32 = 16;
const FOR_GOOD: u8 = u8::MAX;

static MARKS: Marks = Marks::none();

/// Marks NULL. Called before any thread has a slot.
pub fn begin() {
    mark_for_good(ptr::null());
}

/// Whether a block may be a marked one.
#[inline(always)]
pub fn may_have(block: *const c_void) -> bool {
    MARKS.may_have(block)
}

/// Marks a block.
pub fn mark(block: *const c_void) {
    MARKS.mark(block);
}

/// Takes the mark of a block back.
pub fn unmark(block: *const c_void) {
    MARKS.unmark(block);
}

/// Marks a block until the process ends.
pub fn mark_for_good(block: *const c_void) {
    MARKS.mark_for_good(block);
}

impl Marks {
    const fn none() -> Marks {
        Marks([const { AtomicU8::new(0) }; 1 << INDEX_BITS])
    }

    /// Where the number of a block is. Neighbours have the same or the next one, so that few lines of the cache are used.
    #[inline(always)]
    fn index(block: *const c_void) -> usize {
        // By two instructions, where bits from the middle of an address take three. 2^16 / 305 is 215 bytes. No power of 2: the
        // addresses that share a number would be whole arenas of an allocator apart.
        ((block.addr() as u32).wrapping_mul(305) >> (32 - INDEX_BITS)) as usize
    }

    #[inline(always)]
    fn may_have(&self, block: *const c_void) -> bool {
        // SAFETY: the table has each index that there is.
        unsafe { arch::is_set(self.0.as_ptr().cast(), Self::index(block)) }
    }

    fn mark(&self, block: *const c_void) {
        let more = |marks: u8| Some(marks.saturating_add(1));
        let marks = &self.0[Self::index(block)];
        let _ = marks.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    }

    fn unmark(&self, block: *const c_void) {
        let fewer = |marks: u8| (marks != FOR_GOOD && marks != 0).then(|| marks - 1);
        let marks = &self.0[Self::index(block)];
        let _ = marks.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer);
    }

    fn mark_for_good(&self, block: *const c_void) {
        self.0[Self::index(block)].store(FOR_GOOD, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: usize) -> *const c_void {
        ptr::without_provenance(address)
    }

    #[test]
    fn a_block_is_marked_until_all_marks_are_taken_back() {
        static MARKS: Marks = Marks::none();
        let (block, other) = (at(0x5555_5010_0060), at(0x7fff_ffff_fff0));
        let far = |by: isize| at(block.addr().wrapping_add_signed(by));
        let are = || [block, far(-0x400), far(0x400), other].map(|block| MARKS.may_have(block));
        assert_eq!(are(), [false; 4]);
        MARKS.mark(block);
        MARKS.mark(block);
        assert_eq!(are(), [true, false, false, false]);
        MARKS.unmark(block);
        assert_eq!(are(), [true, false, false, false]);
        MARKS.unmark(block);
        assert_eq!(are(), [false; 4]);
        // More than are counted: it is not known from then on.
        (0..300).for_each(|_| MARKS.mark(other));
        (0..300).for_each(|_| MARKS.unmark(other));
        assert_eq!(are(), [false, false, false, true]);
        MARKS.mark_for_good(block);
        MARKS.unmark(block);
        assert_eq!(are(), [true, false, false, true]);
    }

    /// Blocks that are marked, as many as a heap of 128 MiB has samples, leave most others alone.
    #[test]
    fn few_blocks_share_the_number_of_a_marked_one() {
        static MARKS: Marks = Marks::none();
        const HEAP: usize = 0x6000_0000_0000;
        for sample in 0..256 {
            MARKS.mark(at(HEAP + sample * 516 * 1024));
        }
        let blocks = (0..1 << 20).map(|block| at(HEAP + block * 128));
        let seen = blocks.filter(|&block| MARKS.may_have(block)).count();
        assert!((256..1 << 14).contains(&seen), "{seen}");
    }

    #[test]
    fn null_is_marked() {
        begin();
        assert!(may_have(ptr::null()));
    }
}
