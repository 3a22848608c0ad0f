//! What a forked child inherits: its parent's region, until it has one of its own, and the numbers of live bytes and
//! blocks. If a signal handler forked, and returns in the child into a call of the heap, the child also has the block that this call
//! makes, or has not the one that it frees. The call is its parent's; the block is inherited.

use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};

use weir_record::functions::{Family, Function, Role};
use weir_record::region::Header;
use weir_record::slot::Counters;

use crate::process::children;
use crate::thread::Live;

/// The parent's region, in a forked child that has no region of its own yet.
static PARENTS: AtomicPtr<Header> = AtomicPtr::new(ptr::null_mut());
/// Whether this process is a forked child of an image that had started.
static IS_FORKED: AtomicBool = AtomicBool::new(false);
static BYTES: AtomicU64 = AtomicU64::new(0);
static BLOCKS: AtomicU64 = AtomicU64::new(0);

/// The memory that stands in for the counters of the thread that forked ([`crate::region::mapping::set_aside`]): it has what frames
/// have counted that go on in the child, and nothing else.
static STAND_IN: AtomicPtr<Counters> = AtomicPtr::new(ptr::null_mut());
/// How much of that [`catch_up`] has added to the header.
static CAUGHT_UP_BYTES: AtomicU64 = AtomicU64::new(0);
static CAUGHT_UP_BLOCKS: AtomicU64 = AtomicU64::new(0);

/// Called in a forked child. `live` is what was live in the parent before the fork.
pub fn begin(live: Live) {
    STAND_IN.store(ptr::null_mut(), Ordering::Relaxed);
    CAUGHT_UP_BYTES.store(0, Ordering::Relaxed);
    CAUGHT_UP_BLOCKS.store(0, Ordering::Relaxed);
    BYTES.store(live.bytes, Ordering::Relaxed);
    BLOCKS.store(live.blocks, Ordering::Relaxed);
    IS_FORKED.store(true, Ordering::Relaxed);
}

/// Whether this process is a forked child of an image that had started.
pub fn is_forked() -> bool {
    IS_FORKED.load(Ordering::Relaxed)
}

/// What was live when this image began.
pub fn live() -> Live {
    let frames = of_frames();
    Live {
        bytes: BYTES.load(Ordering::Relaxed).wrapping_add(frames.bytes),
        blocks: BLOCKS.load(Ordering::Relaxed).wrapping_add(frames.blocks),
    }
}

/// Sets the memory that stands in for the counters of the thread that forked. It stays mapped, and was zeroed.
pub fn set_stand_in(counters: &'static Counters) {
    STAND_IN.store(ptr::from_ref(counters).cast_mut(), Ordering::Relaxed);
}

/// What calls of the heap have changed that began in the parent and went on here.
fn of_frames() -> Live {
    // SAFETY: NULL, or counters that stay mapped.
    match unsafe { STAND_IN.load(Ordering::Relaxed).as_ref() } {
        Some(counters) => Live {
            bytes: counters.live_bytes.get(),
            blocks: live_blocks(counters),
        },
        None => Live::default(),
    }
}

/// Called when the image has its region: what it inherited is in the header.
pub fn begin_in(header: &Header) {
    let frames = of_frames();
    CAUGHT_UP_BYTES.store(frames.bytes, Ordering::Relaxed);
    CAUGHT_UP_BLOCKS.store(frames.blocks, Ordering::Relaxed);
    let live = live();
    header.inherited_bytes.set(live.bytes);
    header.inherited_blocks.set(live.blocks);
    header.heap.live_bytes.set(live.bytes);
    header.heap.peak_bytes.set(live.bytes);
}

/// Adds to the header what such calls have changed since. Only the thread that forked can have such a call, so it seldom is more
/// than one block.
pub fn catch_up(header: &Header) {
    if STAND_IN.load(Ordering::Relaxed).is_null() {
        return;
    }
    let frames = of_frames();
    let new =
        |now: u64, caught_up: &AtomicU64| now.wrapping_sub(caught_up.swap(now, Ordering::Relaxed));
    let bytes = new(frames.bytes, &CAUGHT_UP_BYTES);
    let blocks = new(frames.blocks, &CAUGHT_UP_BLOCKS);
    if (bytes, blocks) != (0, 0) {
        header.inherited_bytes.add_shared(bytes);
        header.inherited_blocks.add_shared(blocks);
        header.heap.live_bytes.add_shared(bytes);
    }
}

/// How many blocks are live by these counters.
pub fn live_blocks(counters: &Counters) -> u64 {
    // By reference: a copy of the table would take a kilobyte of the stack, which may be small.
    let alloc = Function::ALL
        .iter()
        .filter(|function| function.row().family == Family::Alloc);
    alloc.fold(counters.blocks_adjustment.get(), |blocks, &function| {
        let of = counters.of(function);
        match function.row().role {
            Role::Allocate => blocks
                .wrapping_add(of.calls.get())
                .wrapping_sub(of.errors.get()),
            Role::Free => blocks.wrapping_sub(of.calls.get()),
            _ => blocks,
        }
    })
}

/// Returns the parent's region, or NULL.
pub fn parents() -> *mut Header {
    PARENTS.load(Ordering::Relaxed)
}

/// Sets the parent's region.
pub fn set_parents(parents: *mut Header) {
    PARENTS.store(parents, Ordering::Relaxed);
}

/// Returns the parent's region, or NULL, and forgets it: the caller makes a region of its own, or ends.
pub fn take_parents() -> *mut Header {
    PARENTS.swap(ptr::null_mut(), Ordering::Relaxed)
}

/// Called when the process will not count in its parent's region.
pub fn leave(parents: *mut Header) {
    // SAFETY: NULL, or the header of the parent's region, which is still mapped.
    if let Some(header) = unsafe { parents.as_ref() } {
        children::leave(header);
    }
}
