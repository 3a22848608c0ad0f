//! What is done at a few calls of the heap, when it is due: a call is timed, or counted at its site; a block is noted as a sample; the
//! total of what is live is brought up to date.

use std::ffi::c_void;

use weir_record::functions::Function;
use weir_record::slot::{Due, Slot};

use super::nested::{has_counted, live_before};
use super::sink::Own;
use super::{made, usable};
use crate::life::inheritance;
use crate::recording::block_sites::{self, By};
use crate::recording::{timed_in_turn, timed_now};
use crate::{process, region};

/// Makes a block by a call that is due: it is to be timed, or counted at its site. Not inlined, because the hot path needs its
/// registers.
#[inline(never)]
pub(super) fn make_due(
    next: impl Fn() -> *mut c_void,
    slot: &Slot,
    function: Function,
    size: u64,
) -> *mut c_void {
    if slot.countdown.restart() {
        return timed_now(next, slot, function, size).0;
    }
    make_at_site(next, slot, function, size)
}

#[inline(never)]
fn make_at_site(
    next: impl Fn() -> *mut c_void,
    slot: &Slot,
    function: Function,
    size: u64,
) -> *mut c_void {
    let before = live_before(Own(slot), function);
    let (block, took_ticks) = timed_in_turn(next, slot, function, size);
    let bytes = made(function, block);
    // A nested call has noted the block at its own site.
    let is_noted = has_counted(Own(slot), before, bytes);
    let block_of_site = Some(block.cast_const()).filter(|_| !is_noted);
    block_sites::count_making(slot, function, size, took_ticks, block_of_site, bytes);
    block
}

/// The same for a call that changes a block's size.
#[inline(never)]
pub(super) fn resize_due(
    next: impl Fn() -> *mut c_void,
    slot: &Slot,
    function: Function,
    size: u64,
    block: *mut c_void,
    before: u64,
) -> *mut c_void {
    if slot.countdown.restart() {
        return timed_now(next, slot, function, size).0;
    }
    resize_at_site(next, slot, function, size, block, before)
}

#[inline(never)]
fn resize_at_site(
    next: impl Fn() -> *mut c_void,
    slot: &Slot,
    function: Function,
    size: u64,
    block: *mut c_void,
    before: u64,
) -> *mut c_void {
    let taken = block_sites::taken(block);
    let live = live_before(Own(slot), function);
    let (after, took_ticks) = timed_in_turn(next, slot, function, size);
    let has_failed = after.is_null() && (size != 0 || block.is_null());
    let old = (block.cast_const(), taken, before);
    let bytes = usable(after);
    // A nested call has noted the new block at its own site. Whether it did that for one of the same size cannot be seen in what is live.
    let is_noted = match bytes == before {
        true => block_sites::is_noted(after),
        false => has_counted(Own(slot), live, bytes.wrapping_sub(before)),
    };
    let new = (Some(after.cast_const()).filter(|_| !is_noted), bytes);
    block_sites::count_resizing(slot, function, size, took_ticks, has_failed, old, new);
    after
}

/// The same for a call that frees a block.
#[inline(never)]
pub(super) fn free_due(
    next: impl Fn(),
    slot: &Slot,
    function: Function,
    size: u64,
    block: *mut c_void,
) {
    if slot.countdown.restart() {
        return timed_now(next, slot, function, size).0;
    }
    free_at_site(next, slot, function, size, block);
}

#[inline(never)]
fn free_at_site(next: impl Fn(), slot: &Slot, function: Function, size: u64, block: *mut c_void) {
    if let Some(taken) = block_sites::taken(block) {
        block_sites::count_freeing(slot, block, Some(taken), usable(block), By::Freeing);
    }
    timed_in_turn(next, slot, function, size);
}

/// Does what is due at a block that was made. Returns the block. Most often it is nothing: what makes and frees by turns comes here
/// once in some kilobytes.
#[inline(never)]
pub(super) fn settle_making(
    slot: &Slot,
    function: Function,
    size: u64,
    block: *mut c_void,
    bytes: u64,
) -> *mut c_void {
    match slot.counters.settle_making() {
        Due::Nothing => block,
        Due::Publishing => {
            publish(slot);
            block
        }
        Due::Sample => count_sample(slot, function, size, block, bytes),
    }
}

/// Counts a block at its site if it is a sample, and before what is live may be at its peak. Returns the block.
#[cold]
#[inline(never)]
pub(super) fn count_sample(
    slot: &Slot,
    function: Function,
    size: u64,
    block: *mut c_void,
    bytes: u64,
) -> *mut c_void {
    if !block.is_null() && slot.counters.has_passed_sample() {
        block_sites::count_sample(slot, function, size, block, bytes);
    }
    publish(slot);
    block
}

/// Does what is due after a block was freed.
#[inline(never)]
pub(super) fn settle_freeing(slot: &Slot) {
    if slot.counters.settle_freeing() {
        publish(slot);
    }
}

/// Brings the total of what is live up to date.
#[inline(never)]
fn publish(slot: &Slot) {
    if region::has(slot)
        && let Some(header) = process::header()
    {
        inheritance::catch_up(header);
        slot.counters.publish(&header.heap);
        block_sites::mark_peak();
    }
}
