//! Counts calls at their sites: the way by which the program came to them.

use weir_record::counter::{Adder, Alone, Counter, Shared};
use weir_record::functions::{Function, Role};
use weir_record::slot::Slot;
use weir_record::stacks::{Called, LeafOwner, Node};

use crate::files;
use crate::process::modes;
use crate::region;
use crate::stacks::{self, Leaf};

/// How many bytes a call moved, and whether it failed: one number, to take little of the stack.
#[derive(Clone, Copy)]
pub struct End(u64);

impl End {
    const FAILED: u64 = 1 << 63;

    /// Of a call that moved so many bytes.
    #[inline(always)]
    pub fn of(moved: u64, has_failed: bool) -> End {
        End((moved & !Self::FAILED) | if has_failed { Self::FAILED } else { 0 })
    }

    #[inline(always)]
    fn moved(self) -> u64 {
        self.0 & !Self::FAILED
    }

    #[inline(always)]
    fn has_failed(self) -> bool {
        self.0 & Self::FAILED != 0
    }
}

/// Counts a call of stdio, which was the last that was due. Numbers, which stay in registers.
#[cold]
#[inline(never)]
pub fn count_in_memory(slot: &Slot, function: Function, requested: u64, end: End) {
    let leaf = leaf_of(slot, function);
    let took_ticks = slot.countdown.last_took();
    add_call(
        leaf.map(|leaf| leaf.node),
        requested,
        took_ticks,
        end.moved(),
        end.has_failed(),
    );
}

/// The leaf of a thread for a call of a function. None where none can be had; and in the child of a signal handler that forked in
/// the middle of the call, where the slot is another image's.
#[inline(always)]
pub(super) fn leaf_of(slot: &Slot, function: Function) -> Option<Leaf> {
    match region::has(slot) {
        true => stacks::leaf(Called::of(function), slot.leaf_owner()),
        false => None,
    }
}

/// Whether I/O calls may be counted at their sites.
#[inline(always)]
pub fn may_count() -> bool {
    modes::are(modes::STACKS | modes::SAMPLES)
}

/// Where an I/O call will be counted, as was found before it: the number of a leaf. Half a word, to take little of the stack.
#[derive(Clone, Copy)]
pub struct Before(u32);

impl Before {
    /// Stacks are not taken, or not yet.
    pub const NOT_TAKEN: Before = Before(0);
    /// Nowhere: its stack could not be kept.
    const NOWHERE: Before = Before(u32::MAX);

    /// Whether its stack was taken.
    #[inline(always)]
    pub fn is_taken(self) -> bool {
        self.0 != Self::NOT_TAKEN.0
    }

    /// The leaf, if there is one. The region is the one of before.
    fn leaf(self) -> Option<&'static Node> {
        stacks::node(self.0).filter(|_| self.is_taken())
    }
}

/// Takes the stack of an I/O call that is about to be made, where stacks are taken, and notes that the slot's thread is there: until
/// it returns the report can say where.
///
/// The stack of a call that changes what is mapped can be taken before it only. CPython unmaps memory that its current frame is still
/// in: where a generator begins, its function's frame is given back before the frame below it is the current one
/// (`_PyThreadState_PopFrame`, ceval.c, 3.11 to 3.13).
///
/// `about` is the call's descriptor, or for one that closes a descriptor, where that led to. What it leads to is asked for after the
/// call, unless `is_asked`.
#[inline(never)]
pub fn before(slot: &Slot, function: Function, about: u32, is_asked: bool) -> Before {
    if !region::has(slot) {
        return Before::NOWHERE;
    }
    let called = called_here(function, about, !is_asked);
    let leaf = match modes::are(modes::SAMPLES) {
        true => stacks::leaf_aside(called, slot.leaf_owner()),
        false => stacks::leaf(called, slot.leaf_owner()),
    };
    let number = leaf.map(|leaf| leaf.mark.leaf());
    slot.set_in_flight_leaf(number.unwrap_or(0));
    number.map_or(Before::NOWHERE, Before)
}

/// Counts an I/O call of which [`before`] knows. What it is about may be known only now, or be another file.
#[inline(never)]
pub fn count_after(
    slot: &Slot,
    before: Before,
    function: Function,
    about: u32,
    requested: u64,
    took_ticks: u64,
    end: End,
) {
    // In the child of a signal handler that forked in the middle of the call, the slot is another image's.
    if !region::has(slot) {
        return;
    }
    let Some(mut leaf) = before.leaf() else {
        return;
    };
    if !is_about(leaf.key().file().unwrap_or(0), function, about) {
        let called = called(function, about, end.has_failed());
        match stacks::leaf_of_the_same_stack(leaf, called, slot.leaf_owner()) {
            Some(other) => leaf = other,
            None => return,
        }
    }
    let (moved, has_failed) = (end.moved(), end.has_failed());
    add_call(Some(leaf), requested, took_ticks, moved, has_failed);
}

/// What a site knows of a call: the function, and the file. `about` is as in [`before`].
#[cold]
#[inline(never)]
pub fn called(function: Function, about: u32, has_failed: bool) -> Called {
    called_here(function, about, has_failed)
}

#[inline(always)]
fn called_here(function: Function, about: u32, has_failed: bool) -> Called {
    let file = match function.row().role {
        Role::Close => files::number_of(about),
        _ => files::number(about.cast_signed(), has_failed),
    };
    Called::about(function, file)
}

/// Whether a call is about the file of this number, or about none where that is 0. False where it has to be looked up.
#[inline(always)]
fn is_about(file: usize, function: Function, about: u32) -> bool {
    match function.row().role {
        Role::Close => file != 0 && about as usize == file,
        _ => files::leads_to(about.cast_signed(), file),
    }
}

/// Counts an I/O call that has been made, where [`may_count`] says so; `slot` is the thread's, if it has one.
#[inline(always)]
pub fn count_call(
    slot: Option<&Slot>,
    called: Called,
    requested: u64,
    took_ticks: u64,
    moved: u64,
    has_failed: bool,
) {
    // Numbers, which stay in registers. Two functions: the first takes less of the stack than the second.
    let count = match modes::are(modes::SAMPLES) {
        true => count_call_aside,
        false => count_call_here,
    };
    count(slot, called, requested, took_ticks, moved, has_failed);
}

/// Counts a call that changes what is mapped, where [`may_count`] says so.
#[cold]
#[inline(never)]
pub fn count_mapping(slot: &Slot, before: Before, requested: u64, took_ticks: u64, end: End) {
    stacks::mappings_have_changed();
    if region::has(slot) && (stacks::are_taken() || stacks::begin_with_call(took_ticks)) {
        let leaf = before.leaf();
        add_call(leaf, requested, took_ticks, end.moved(), end.has_failed());
    }
}

#[cold]
#[inline(never)]
fn count_call_aside(
    slot: Option<&Slot>,
    called: Called,
    requested: u64,
    took_ticks: u64,
    moved: u64,
    has_failed: bool,
) {
    if slot.is_none_or(region::has) && (stacks::are_taken() || stacks::begin_with_call(took_ticks))
    {
        let leaf = stacks::leaf_aside(called, owner_of(slot));
        add_call(
            leaf.map(|leaf| leaf.node),
            requested,
            took_ticks,
            moved,
            has_failed,
        );
    }
}

#[cold]
#[inline(never)]
fn count_call_here(
    slot: Option<&Slot>,
    called: Called,
    requested: u64,
    took_ticks: u64,
    moved: u64,
    has_failed: bool,
) {
    if slot.is_none_or(region::has) {
        let leaf = stacks::leaf(called, owner_of(slot));
        add_call(
            leaf.map(|leaf| leaf.node),
            requested,
            took_ticks,
            moved,
            has_failed,
        );
    }
}

#[inline(always)]
fn owner_of(slot: Option<&Slot>) -> LeafOwner {
    slot.map_or(LeafOwner::SHARED, Slot::leaf_owner)
}

#[inline(always)]
fn add_call(leaf: Option<&Node>, requested: u64, took_ticks: u64, moved: u64, has_failed: bool) {
    let Some(leaf) = leaf else { return };
    match is_shared(leaf) {
        true => add_call_by::<Shared>(leaf, requested, took_ticks, moved, has_failed),
        false => add_call_by::<Alone>(leaf, requested, took_ticks, moved, has_failed),
    }
}

#[inline(always)]
fn add_call_by<A: Adder>(
    node: &Node,
    requested: u64,
    took_ticks: u64,
    moved: u64,
    has_failed: bool,
) {
    let counters = node.calls();
    A::add(&counters.calls, 1);
    A::add(&counters.requested_bytes, requested);
    A::add(&counters.moved_bytes, moved);
    A::add(&counters.ticks, took_ticks);
    if has_failed {
        A::add(&counters.errors, 1);
    }
}

/// Whether several threads add to the counters of a leaf.
#[inline(always)]
pub(super) fn is_shared(leaf: &Node) -> bool {
    leaf.key().owner().is_shared()
}

/// Adds to a counter of a leaf, which is the thread's own or shared.
#[inline(always)]
pub(super) fn add(leaf: &Node, counter: &Counter, by: u64) {
    if is_shared(leaf) {
        Shared::add(counter, by);
    } else {
        Alone::add(counter, by);
    }
}
