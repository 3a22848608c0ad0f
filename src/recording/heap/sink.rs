//! Where a call of the heap is counted: in the counters of its thread, or in those of all threads without a slot.

use std::ffi::c_void;

use weir_record::counter::{Adder, Alone, Shared};
use weir_record::functions::Function;
use weir_record::slot::{Counters, Slot};

use super::due::{count_sample, free_due, make_due, resize_due, settle_freeing, settle_making};
use super::usable;
use crate::recording::block_sites::{self, By};
use crate::stacks::live::Taken;
use crate::{process, region};

/// The counters for a call of the heap. Every operation uses them in the same way, whether they are shared or not.
pub(super) trait Sink: Copy {
    /// How the counters are added to.
    type Adder: Adder;

    fn counters(&self) -> &Counters;

    /// Makes a block. Times the call if the countdown says so, and counts it at its site. `size` is in bytes.
    fn make(self, function: Function, size: u64, next: impl Fn() -> *mut c_void) -> *mut c_void;

    /// The same for a call that changes the size of `block`, which has `before` bytes.
    fn resize(
        self,
        function: Function,
        size: u64,
        block: *mut c_void,
        before: u64,
        next: impl Fn() -> *mut c_void,
    ) -> *mut c_void;

    /// The same for a call that frees `block`.
    fn free(self, function: Function, size: u64, block: *mut c_void, next: impl Fn());

    /// What is live by its counters, in bytes, to see whether a call that is made now is nested ([`nested`](super::nested)).
    fn live_bytes(self) -> Option<u64>;

    /// Counts the bytes of a block that was made, and the block at its site if it is a sample. `size` is what was asked for, in bytes.
    /// Returns the block.
    fn grow(self, function: Function, size: u64, block: *mut c_void, bytes: u64) -> *mut c_void;

    /// Counts the bytes of a block that is freed.
    fn shrink(self, bytes: u64);

    /// The same as both, for a call that has freed one block and made another.
    fn replace(self, function: Function, size: u64, freed: u64, block: *mut c_void, bytes: u64);

    /// A block is about to be freed: takes it from what is live at its site, if it is a sample.
    fn free_sample(self, block: *mut c_void);

    /// After a call that was to change the size of a sample: it has gone, or is still there. It had so many bytes.
    fn end_resizing_sample(self, block: *mut c_void, sample: Taken, bytes: u64, is_gone: bool);
}

/// The slot of the calling thread, which alone counts there.
#[derive(Clone, Copy)]
pub(super) struct Own<'a>(pub(super) &'a Slot);

impl Sink for Own<'_> {
    type Adder = Alone;

    #[inline(always)]
    fn counters(&self) -> &Counters {
        &self.0.counters
    }

    #[inline(always)]
    fn make(self, function: Function, size: u64, next: impl Fn() -> *mut c_void) -> *mut c_void {
        if self.0.countdown.due() {
            make_due(next, self.0, function, size)
        } else {
            next()
        }
    }

    #[inline(always)]
    fn resize(
        self,
        function: Function,
        size: u64,
        block: *mut c_void,
        before: u64,
        next: impl Fn() -> *mut c_void,
    ) -> *mut c_void {
        if self.0.countdown.due() {
            resize_due(next, self.0, function, size, block, before)
        } else {
            next()
        }
    }

    #[inline(always)]
    fn free(self, function: Function, size: u64, block: *mut c_void, next: impl Fn()) {
        if self.0.countdown.due() {
            free_due(next, self.0, function, size, block);
        } else {
            next();
        }
    }

    #[inline(always)]
    fn live_bytes(self) -> Option<u64> {
        Some(self.0.counters.live_bytes.get())
    }

    #[inline(always)]
    fn grow(self, function: Function, size: u64, block: *mut c_void, bytes: u64) -> *mut c_void {
        if self.0.grow(bytes) {
            return settle_making(self.0, function, size, block, bytes);
        }
        block
    }

    #[inline(always)]
    fn shrink(self, bytes: u64) {
        if self.0.shrink(bytes) {
            settle_freeing(self.0);
        }
    }

    #[inline(always)]
    fn replace(self, function: Function, size: u64, freed: u64, block: *mut c_void, bytes: u64) {
        if self.0.replace(freed, bytes) {
            count_sample(self.0, function, size, block, bytes);
        }
    }

    #[inline(always)]
    fn free_sample(self, block: *mut c_void) {
        block_sites::count_freeing_of_sample(self.0, block, usable);
    }

    #[cold]
    #[inline(never)]
    fn end_resizing_sample(self, block: *mut c_void, sample: Taken, bytes: u64, is_gone: bool) {
        match is_gone {
            true => block_sites::count_freeing(self.0, block, Some(sample), bytes, By::Resizing),
            false => block_sites::put_back(self.0, block, sample),
        }
    }
}

/// The common counters, for all threads without a slot. Their calls are not timed.
#[derive(Clone, Copy)]
pub(super) struct Common(pub(super) &'static Counters);

impl Sink for Common {
    type Adder = Shared;

    fn counters(&self) -> &Counters {
        self.0
    }

    fn make(self, _: Function, _: u64, next: impl Fn() -> *mut c_void) -> *mut c_void {
        next()
    }

    fn resize(
        self,
        _: Function,
        size: u64,
        block: *mut c_void,
        before: u64,
        next: impl Fn() -> *mut c_void,
    ) -> *mut c_void {
        let moved = block_sites::Moved::before(block, |_| before);
        let after = next();
        if !after.is_null() || size == 0 {
            moved.went();
        } else {
            moved.stayed();
        }
        after
    }

    fn free(self, _: Function, _: u64, block: *mut c_void, next: impl Fn()) {
        let moved = block_sites::Moved::before(block, usable);
        next();
        moved.went();
    }

    /// Other threads count there, too.
    fn live_bytes(self) -> Option<u64> {
        None
    }

    fn grow(self, _: Function, _: u64, block: *mut c_void, bytes: u64) -> *mut c_void {
        self.shift(bytes);
        block
    }

    fn shrink(self, bytes: u64) {
        self.shift(bytes.wrapping_neg());
    }

    fn replace(self, _: Function, _: u64, freed: u64, _: *mut c_void, bytes: u64) {
        self.shift(bytes.wrapping_sub(freed));
    }

    /// [`block_sites::Moved`] does it.
    fn free_sample(self, _: *mut c_void) {}

    fn end_resizing_sample(self, _: *mut c_void, _: Taken, _: u64, _: bool) {}
}

impl Common {
    /// Adds to the live bytes. A negative number wraps around.
    fn shift(self, bytes: u64) {
        self.0.live_bytes.add_shared(bytes);
        if region::has(self.0)
            && let Some(header) = process::header()
        {
            let live = header.heap.live_bytes.add_shared(bytes);
            header.heap.peak_bytes.raise_shared(live.cast_signed());
        }
    }
}
