//! Which leaf each live block was made at: a shadow of the heap.
//!
//! For each 16 bytes of addresses there is a number, at a place that the address gives: no hash, no lock, no search. Who owns a
//! block alone writes its number, in memory that is touched as the heap is. Blocks are 16 bytes apart, or 8 where an allocator
//! gives such small ones: those at odd multiples of 8 have numbers of their own. The memory is in parts, made when a block in
//! their range appears.
//!
//! A block of more than 16 bytes has the next number, too: no block begins there. It says when the block was made, where that is
//! wanted, and nothing needs more memory for it.
//!
//! The numbers are private memory, which the kernel empties in a child: what its parent made is at no site there. What is live is
//! counted at the leaves, in the region, and so survives the process.
//!
//! Where only samples of the blocks are noted, a free must not pay for a look at a number that is not there: a sample is
//! [marked](marked_blocks).

use std::ffi::c_void;
use std::num::NonZeroU64;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use rustix::mm::Advice;
use weir_record::stacks::lifetimes::Stamp;

use crate::memory::marked_blocks;
use crate::process::modes;
use crate::{arch, sys};

/// A part has the numbers for so many bits' worth of addresses: 256 MiB.
const PART_BITS: u32 = 28;
const PARTS: usize = 1 << (arch::ADDRESS_BITS - PART_BITS);
/// Blocks at odd multiples of 8 have parts of their own.
const TOP_BYTES: usize = 2 * PARTS * size_of::<AtomicPtr<AtomicU32>>();
/// A number stands for 16 bytes.
const GRANULE: u64 = 1 << GRANULE_BITS;
const GRANULE_BITS: u32 = 4;
const NUMBERS: usize = 1 << (PART_BITS - GRANULE_BITS);
const PART_BYTES: usize = NUMBERS * size_of::<AtomicU32>();

/// Where the parts are.
static TOP: AtomicPtr<AtomicPtr<AtomicU32>> = AtomicPtr::new(ptr::null_mut());

/// The image that counts now, in the upper bits of a number: a frame of the parent's may go on in a child.
static IMAGE: AtomicU32 = AtomicU32::new(0);

/// The lower bits of a number are that of a node, of which there are fewer than this.
const NODE_BITS: u32 = weir_record::region::MAX_NODES.trailing_zeros();

/// Set in a number that says when the block before was made.
const STAMP: u32 = 1 << Stamp::BITS;

/// Begins in a new image, where no block has been made. False where there is no memory for it.
pub fn begin() -> bool {
    IMAGE.fetch_add(1, Ordering::Relaxed);
    if TOP.load(Ordering::Relaxed).is_null() {
        let Some(start) = sys::reserve(TOP_BYTES) else {
            return false;
        };
        TOP.store(start.cast(), Ordering::Release);
    }
    true
}

/// The image that counts now.
#[inline(always)]
pub fn image() -> u32 {
    IMAGE.load(Ordering::Relaxed)
}

/// What is noted of a block: the leaf that it was made at, and the image that counted when the leaf was found. Never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark(u32);

impl Mark {
    /// That of a leaf, which has a number above 0.
    #[inline(always)]
    pub fn new(image: u32, leaf: u32) -> Mark {
        Mark(((image << NODE_BITS) | leaf) & !STAMP)
    }

    /// The number of the leaf.
    #[inline(always)]
    pub fn leaf(self) -> u32 {
        self.0 & ((1 << NODE_BITS) - 1)
    }
}

/// What was noted of a block: a leaf, which is never 0, and the stamp if it has one. One word, in a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken(NonZeroU64);

impl Taken {
    /// `stamp` is a number with [`STAMP`], or 0.
    #[inline(always)]
    fn new(leaf: u32, stamp: u32) -> Option<Taken> {
        NonZeroU64::new(u64::from(leaf) | u64::from(stamp) << u32::BITS)
            .filter(|_| leaf != 0)
            .map(Taken)
    }

    /// The leaf that the block was made at.
    #[inline(always)]
    pub fn leaf(self) -> u32 {
        self.0.get() as u32
    }

    /// When it was made, if that is known.
    #[inline(always)]
    pub fn stamp(self) -> Option<Stamp> {
        let number = (self.0.get() >> u32::BITS) as u32;
        (number != 0).then_some(Stamp::from_bits(number & !STAMP))
    }
}

/// Marks a block that was made, with the time of that if it is known. `bytes` is its size. False where that cannot be.
#[inline(always)]
pub fn put(block: *const c_void, mark: Mark, bytes: u64, made: Option<Stamp>) -> bool {
    let Some(place) = place_of(block).or_else(|| make_place_of(block)) else {
        return false;
    };
    place.store(mark.0, Ordering::Relaxed);
    if let Some(made) = made.filter(|_| bytes > GRANULE)
        && let Some(next) = next_place(block)
    {
        next.store(STAMP | made.bits(), Ordering::Relaxed);
    }
    if modes::are(modes::SAMPLES) {
        marked_blocks::mark(block);
    }
    true
}

/// What was noted of a block, which is forgotten: the block is about to be freed. None where nothing is noted.
#[inline(always)]
pub fn take(block: *const c_void) -> Option<Taken> {
    let place = place_of(block)?;
    let number = place.load(Ordering::Relaxed);
    if number == 0 || number & STAMP != 0 {
        return None;
    }
    place.store(0, Ordering::Relaxed);
    let stamp = match modes::are(modes::LIFETIMES) {
        true => take_stamp(block),
        false => 0,
    };
    if modes::are(modes::SAMPLES) {
        marked_blocks::unmark(block);
    }
    let is_of_this_image = number >> NODE_BITS == ((image() << NODE_BITS) & !STAMP) >> NODE_BITS;
    Taken::new(number & ((1 << NODE_BITS) - 1), stamp).filter(|_| is_of_this_image)
}

/// The number with the time at which a block was made, which is forgotten; 0 where there is none. Behind a small block there may be that
/// of another block, which is no stamp.
fn take_stamp(block: *const c_void) -> u32 {
    let Some(next) = next_place(block) else {
        return 0;
    };
    let number = next.load(Ordering::Relaxed);
    if number & STAMP == 0 {
        return 0;
    }
    next.store(0, Ordering::Relaxed);
    number
}

/// Whether a block is marked.
pub fn has(block: *const c_void) -> bool {
    place_of(block).is_some_and(|place| {
        let number = place.load(Ordering::Relaxed);
        number != 0 && number & STAMP == 0
    })
}

/// Where the number of a block is; none where its part is not there.
#[inline(always)]
fn place_of(block: *const c_void) -> Option<&'static AtomicU32> {
    let part = part_of(block)?.load(Ordering::Acquire);
    if part.is_null() {
        return None;
    }
    let index = block.addr() >> GRANULE_BITS & (NUMBERS - 1);
    // SAFETY: a part has so many numbers, and is never given back.
    Some(unsafe { &*part.add(index) })
}

/// The place behind that of a block, which its second 16 bytes have; none at the end of a part, which is not worth another.
#[inline(always)]
fn next_place(block: *const c_void) -> Option<&'static AtomicU32> {
    let is_last = block.addr() >> GRANULE_BITS & (NUMBERS - 1) == NUMBERS - 1;
    place_of(block.wrapping_byte_add(GRANULE as usize)).filter(|_| !is_last)
}

/// Where the part of a block is named; none for an address that no program has, or that is not a multiple of 8.
#[inline(always)]
fn part_of(block: *const c_void) -> Option<&'static AtomicPtr<AtomicU32>> {
    let address = block.addr();
    let top = TOP.load(Ordering::Relaxed);
    let index = address >> PART_BITS;
    if top.is_null() || index >= PARTS || !address.is_multiple_of(8) {
        return None;
    }
    let odd = address >> 3 & 1;
    // SAFETY: the table has twice so many entries, and is never given back.
    Some(unsafe { &*top.add(2 * index + odd) })
}

#[cold]
#[inline(never)]
fn make_place_of(block: *const c_void) -> Option<&'static AtomicU32> {
    let part = part_of(block)?;
    let start = sys::reserve(PART_BYTES)?;
    // SAFETY: private memory of our own without a file. Where the kernel does not know the advice, a child copies the numbers, and
    // the image in them shows that they are not its own.
    let _ = unsafe { rustix::mm::madvise(start, PART_BYTES, Advice::LinuxWipeOnFork) };
    let none = ptr::null_mut();
    let made = part.compare_exchange(none, start.cast(), Ordering::AcqRel, Ordering::Acquire);
    if made.is_err() {
        // SAFETY: another thread was faster, and nobody knows of this part.
        unsafe { sys::unreserve(start, PART_BYTES) };
    }
    place_of(block)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: usize) -> *const c_void {
        ptr::without_provenance(address)
    }

    #[test]
    fn a_block_has_the_leaf_that_was_put_until_it_is_taken() {
        assert!(begin());
        // One test: the table is the process's.
        let image = image();
        let put = |block, image, leaf| put(block, Mark::new(image, leaf), 24, None);
        let take = |block| take(block).map(Taken::leaf);
        let blocks = [0x10, 0x20, 0x28, 0x30, 0x7fff_ffff_fff0, 0x7fff_ffff_fff8];
        for (leaf, block) in (1..).zip(blocks) {
            assert_eq!(take(at(block)), None, "{block:#x}");
            assert!(!has(at(block)) && put(at(block), image, leaf) && has(at(block)));
        }
        for (leaf, block) in (1..).zip(blocks) {
            assert_eq!(take(at(block)), Some(leaf), "{block:#x}");
            assert_eq!(take(at(block)), None, "{block:#x}");
        }
        let most = weir_record::region::MAX_NODES as u32 - 1;
        assert!(put(at(0x40), image, 1) && put(at(0x40), image, most));
        assert_eq!(take(at(0x40)), Some(most));
        for nothing in [0x44, 1 << arch::ADDRESS_BITS, usize::MAX - 15] {
            assert!(!put(at(nothing), image, 1), "{nothing:#x}");
            assert_eq!(take(at(nothing)), None);
        }
        // What was put in another image.
        assert!(put(at(0x50), image, 7));
        assert!(begin());
        assert_eq!(take(at(0x50)), None);
        assert!(put(at(0x50), image, 7));
        assert_eq!(take(at(0x50)), None);
        // Samples are marked.
        modes::set(modes::SAMPLES);
        let image = super::image();
        assert!(put(at(0x7_0060), image, 1) && put(at(0x7_0070), image, 2));
        assert_eq!(take(at(0x7_0080)), None);
        assert_eq!(take(at(0x7_0060)), Some(1));
        assert!(marked_blocks::may_have(at(0x7_0070)));
        assert_eq!(take(at(0x7_0070)), Some(2));
        modes::clear(modes::SAMPLES);
        a_block_has_its_stamp(image);
    }

    fn a_block_has_its_stamp(image: u32) {
        let mark = |leaf| Mark::new(image, leaf);
        let made = Stamp::at(7 << 20);
        assert!(made.is_some());
        modes::set(modes::LIFETIMES);
        for block in [0x1000, 0x1048] {
            assert!(put(at(block), mark(3), 24, made));
            // Its second half is no block.
            assert!(!has(at(block + 16)));
            assert_eq!(take(at(block + 16)), None);
            let taken = take(at(block)).expect("it was put");
            assert_eq!((taken.leaf(), taken.stamp()), (3, made));
            assert!(put(at(block), mark(4), 24, None));
            let taken = take(at(block)).expect("it was put");
            assert_eq!((taken.leaf(), taken.stamp()), (4, None));
        }
        // Another block follows at once: it keeps what is noted of it.
        assert!(put(at(0x2000), mark(5), 16, made) && put(at(0x2010), mark(6), 16, made));
        let taken = take(at(0x2000)).expect("it was put");
        assert_eq!((taken.leaf(), taken.stamp()), (5, None));
        assert_eq!(take(at(0x2010)).map(Taken::leaf), Some(6));
        // At the end of a part there is no place.
        let last = (1 << PART_BITS) - 16;
        assert!(put(at(last), mark(7), 1024, made));
        assert!(!has(at(last + 16)));
        let taken = take(at(last)).expect("it was put");
        assert_eq!((taken.leaf(), taken.stamp()), (7, None));
        modes::clear(modes::LIFETIMES);
    }
}
