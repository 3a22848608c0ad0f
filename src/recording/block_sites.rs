//! Which blocks of the heap are live at which sites: the way by which the program came to make them.

use std::ffi::c_void;

use weir_record::counter::{Adder, Alone, Shared};
use weir_record::functions::Function;
use weir_record::sampling::{SCALE, Weight};
use weir_record::slot::Slot;
use weir_record::stacks::lifetimes::{self, Counted, Stamp};
use weir_record::stacks::{self as record, Called, Group, LeafOwner, Node};

use super::sites::{add, is_shared, leaf_of};
use crate::process::{self, modes};
use crate::region;
use crate::stacks::live::{self, Taken};
use crate::stacks::{self, Leaf};
use crate::sys;

/// Counts a call that was to make a block, and notes the block. `block` is NULL, with `bytes` 0, where it has failed, and none where
/// another call has noted it.
#[inline(always)]
pub fn count_making(
    slot: &Slot,
    function: Function,
    requested: u64,
    took_ticks: u64,
    block: Option<*const c_void>,
    bytes: u64,
) {
    let Some(leaf) = leaf_of(slot, function) else {
        return;
    };
    add_making(leaf, requested);
    if block.is_some_and(|block| block.is_null()) {
        return count_seldom(leaf.node, 0, 1);
    }
    if took_ticks != 0 && slot.countdown.are_all_timed() {
        count_seldom(leaf.node, took_ticks, 0);
    }
    if let Some(block) = block {
        note_block(slot, leaf, block, bytes);
    }
}

#[inline(always)]
fn add_making(leaf: Leaf, requested: u64) {
    let counters = leaf.node.blocks();
    match is_shared(leaf.node) {
        true => {
            Shared::add(&counters.calls, 1);
            Shared::add(&counters.requested_bytes, requested);
        }
        false => {
            Alone::add(&counters.calls, 1);
            Alone::add(&counters.requested_bytes, requested);
        }
    }
}

/// Counts a block that is a sample at its site, and notes it. `bytes` is its size, above 0.
#[cold]
#[inline(never)]
pub fn count_sample(
    slot: &Slot,
    function: Function,
    requested: u64,
    block: *const c_void,
    bytes: u64,
) {
    let Some(mean) = sys::with_float_state_kept(|| slot.counters.sampling.restart()) else {
        return;
    };
    if !region::has(slot) || !stacks::begin_late() {
        return;
    }
    let Some(leaf) = stacks::leaf_aside(Called::of(function), slot.leaf_owner()) else {
        return;
    };
    let weight = sys::with_float_state_kept(|| Weight::of(bytes, mean));
    let counters = leaf.node.blocks();
    add(leaf.node, &counters.calls, weight.times(1));
    add(
        leaf.node,
        &counters.requested_bytes,
        weight.times(requested),
    );
    slot.made_at_last_block.set(made_by(slot));
    note_block(slot, leaf, block, bytes);
}

/// How many blocks a thread has asked for.
fn made_by(slot: &Slot) -> u64 {
    let calls = |&function: &Function| slot.counters.of(function).calls.get();
    record::MAKERS.iter().map(calls).fold(0, u64::wrapping_add)
}

/// Whether a thread has made no block since the last one that was a sample.
#[cold]
#[inline(never)]
fn has_made_none_since(slot: &Slot, by: By) -> bool {
    let since = made_by(slot).wrapping_sub(slot.made_at_last_block.get());
    since
        == match by {
            By::Freeing => 0,
            By::Resizing => 1,
        }
}

/// The same as [`taken`], where blocks are samples.
#[inline(always)]
pub fn taken_sample(block: *const c_void) -> Option<Taken> {
    match modes::are(modes::SAMPLES) && modes::are(modes::STACKS) {
        true => live::take(block),
        false => None,
    }
}

/// Takes a block from what is live at its site, if it is a sample. `size` is asked only then.
pub fn count_freeing_of_sample(slot: &Slot, block: *mut c_void, size: impl Fn(*mut c_void) -> u64) {
    if let Some(taken) = taken_sample(block) {
        count_freeing(slot, block, Some(taken), size(block), By::Freeing);
    }
}

/// A block that was taken is still there.
pub fn put_back(slot: &Slot, block: *const c_void, taken: Taken) {
    if region::has(slot) {
        note_again(block, taken);
    }
}

fn note_again(block: *const c_void, taken: Taken) {
    let mark = live::Mark::new(live::image(), taken.leaf());
    // If it had a stamp, it is large enough for one.
    let _ = live::put(block, mark, u64::MAX, taken.stamp());
}

/// Counts a call that was to change the size of a block, and moves the block to its site. `before` is what [`taken`] gave for the
/// block, and its bytes; `after` is NULL where there is none now, and none where another call has noted it. A call that has failed leaves the block where it is.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
pub fn count_resizing(
    slot: &Slot,
    function: Function,
    requested: u64,
    took_ticks: u64,
    has_failed: bool,
    (block, taken, bytes_before): (*const c_void, Option<Taken>, u64),
    (after, bytes): (Option<*const c_void>, u64),
) {
    if !has_failed {
        count_freeing(slot, block, taken, bytes_before, By::Resizing);
    } else if let Some(taken) = taken {
        put_back(slot, block, taken);
    }
    let Some(leaf) = leaf_of(slot, function) else {
        return;
    };
    add_making(leaf, requested);
    if has_failed {
        return count_seldom(leaf.node, 0, 1);
    }
    if took_ticks != 0 && slot.countdown.are_all_timed() {
        count_seldom(leaf.node, took_ticks, 0);
    }
    if let Some(after) = after.filter(|after| !after.is_null()) {
        note_block(slot, leaf, after, bytes);
    }
}

/// A block is about to be freed: what was noted of it, which is forgotten. To be called before the block is freed: then its
/// address may be another thread's.
#[inline(always)]
pub fn taken(block: *const c_void) -> Option<Taken> {
    live::take(block)
}

/// Whether a block is noted as live at a site.
pub fn is_noted(block: *const c_void) -> bool {
    live::has(block)
}

/// What ends a block.
#[derive(Clone, Copy)]
pub enum By {
    /// A call that frees it.
    Freeing,
    /// A call that makes another of it, and has been counted.
    Resizing,
}

/// Takes a block that was made at a leaf from what is live there.
#[inline(always)]
pub fn count_freeing(slot: &Slot, block: *const c_void, taken: Option<Taken>, bytes: u64, by: By) {
    let Some(taken) = taken.filter(|_| region::has(slot)) else {
        return;
    };
    let Some(node) = stacks::node(taken.leaf()) else {
        return;
    };
    let owner = slot.leaf_owner();
    let own = if node.key().owner() == owner {
        node
    } else if let Some(other) = stacks::leaf_beside(node, owner) {
        other
    } else {
        return note_untracked_free();
    };
    let amount = Amount::of(bytes);
    shift(own, amount.negated());
    if let Some(made) = taken.stamp() {
        count_end(own, amount, made);
    }
    if slot.last_block.get() == block.addr() as u64
        && (!amount.is_of_sample || has_made_none_since(slot, by))
    {
        add(own, &own.blocks().temporary, amount.blocks);
    }
}

/// What a block counts for: itself, or what it stands for where it is a sample.
#[derive(Clone, Copy)]
struct Amount {
    blocks: u64,
    bytes: u64,
    is_of_sample: bool,
}

impl Amount {
    /// Of a block of so many bytes.
    #[inline(always)]
    fn of(bytes: u64) -> Amount {
        match modes::are(modes::SAMPLES) {
            false => Amount {
                blocks: 1,
                bytes,
                is_of_sample: false,
            },
            true => Amount::of_sample(bytes),
        }
    }

    #[cold]
    #[inline(never)]
    fn of_sample(bytes: u64) -> Amount {
        let mean = process::header().map_or(0, |header| header.sampled_bytes.get());
        // A sample has at least one byte.
        let weight = sys::with_float_state_kept(|| Weight::of(bytes.max(1), mean.max(1)));
        Amount {
            blocks: weight.times(1),
            bytes: weight.times(bytes),
            is_of_sample: true,
        }
    }

    #[inline(always)]
    fn negated(self) -> Amount {
        Amount {
            blocks: self.blocks.wrapping_neg(),
            bytes: self.bytes.wrapping_neg(),
            ..self
        }
    }
}

/// A block that is about to be freed, or moved, by a thread that has no slot.
pub struct Moved {
    block: *mut c_void,
    taken: Option<Taken>,
    bytes: u64,
    /// The image that counted then.
    image: u32,
}

impl Moved {
    /// Forgets where the block was made. `size` is asked only if that is known: before the library has started, nobody could answer.
    #[inline(always)]
    pub fn before(block: *mut c_void, size: impl Fn(*mut c_void) -> u64) -> Moved {
        let taken = match modes::are(modes::STACKS) {
            true => live::take(block),
            false => None,
        };
        Moved {
            block,
            taken,
            bytes: taken.map_or(0, |_| size(block)),
            image: live::image(),
        }
    }

    /// What was noted of it, if the same image counts now.
    fn taken(&self) -> Option<Taken> {
        self.taken.filter(|_| self.image == live::image())
    }

    /// It has been freed, or is elsewhere now.
    pub fn went(self) {
        let Some(taken) = self.taken() else { return };
        let Some(node) = stacks::node(taken.leaf()) else {
            return;
        };
        let Some(shared) = stacks::leaf_beside(node, LeafOwner::SHARED) else {
            return note_untracked_free();
        };
        let amount = Amount::of(self.bytes);
        shift(shared, amount.negated());
        if let Some(made) = taken.stamp() {
            count_end(shared, amount, made);
        }
    }

    /// It is still there.
    pub fn stayed(self) {
        if let Some(taken) = self.taken() {
            note_again(self.block, taken);
        }
    }
}

/// Marks the peak of the heap, where it is one.
pub fn mark_peak() {
    if modes::are(modes::STACKS)
        && let Some(header) = process::header()
    {
        header.heap.mark_peak();
    }
}

fn note_block(slot: &Slot, leaf: Leaf, block: *const c_void, bytes: u64) {
    slot.last_block.set(block.addr() as u64);
    let made = match modes::are(modes::LIFETIMES) {
        true => Stamp::at(since_start_ns()),
        false => None,
    };
    if live::put(block, leaf.mark, bytes, made) {
        let amount = Amount::of(bytes);
        shift(leaf.node, amount);
        if let Some(made) = made {
            count_birth(leaf.node, amount.bytes, made);
        }
    } else if let Some(header) = process::header() {
        header.untracked_blocks.add_shared(1);
    }
}

#[cold]
#[inline(never)]
fn note_untracked_free() {
    if let Some(header) = process::header() {
        header.untracked_frees.add_shared(1);
    }
}

/// Counts an error, or the time of a call, at the site of a leaf with blocks.
#[cold]
#[inline(never)]
fn count_seldom(leaf: &'static Node, ticks: u64, errors: u64) {
    if let Some(seldom) = stacks::beside(leaf, Group::SELDOM) {
        add(seldom, &seldom.calls().ticks, ticks);
        add(seldom, &seldom.calls().errors, errors);
    }
}

/// Nanoseconds since the image began.
#[cold]
#[inline(never)]
fn since_start_ns() -> u64 {
    let began_ns = process::header().map_or(0, |header| header.started.get().monotonic_ns);
    sys::monotonic_ns().saturating_sub(began_ns)
}

/// Counts bytes that are live at a site by when they were made.
#[cold]
#[inline(never)]
fn count_birth(leaf: &'static Node, bytes: u64, made: Stamp) {
    count_beside(leaf, lifetimes::of_birth(made), bytes);
}

/// Counts a block that is gone by how long it lived, and takes it from where its making was counted.
#[cold]
#[inline(never)]
fn count_end(leaf: &'static Node, amount: Amount, made: Stamp) {
    count_birth(leaf, amount.bytes.wrapping_neg(), made);
    let units = made.units_until(since_start_ns());
    let counted = lifetimes::of_lifetime(units);
    let blocks_units = amount.blocks.wrapping_mul(units);
    let sum = match amount.is_of_sample {
        true => blocks_units / SCALE,
        false => blocks_units,
    };
    if let Some(node) = count_beside(leaf, counted, amount.blocks) {
        add(node, &node.numbered()[lifetimes::SUM], sum);
    }
}

/// Adds to a counter beside those of a leaf. Returns the node.
fn count_beside(leaf: &'static Node, counted: Counted, by: u64) -> Option<&'static Node> {
    let node = stacks::beside(leaf, counted.group)?;
    add(node, node.numbered().get(counted.counter)?, by);
    Some(node)
}

#[inline(always)]
fn shift(leaf: &Node, by: Amount) {
    let peak = process::header().map_or(0, |header| header.heap.marked_peak());
    if is_shared(leaf) {
        leaf.shift_live::<Shared>(peak, by.blocks, by.bytes);
    } else {
        leaf.shift_live::<Alone>(peak, by.blocks, by.bytes);
    }
}
