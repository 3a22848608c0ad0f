//! Counts calls at their sites: the way by which the program came to them.

use weir_record::functions::{Function, Role};

use crate::stacks;

/// Counts a call that works in memory, an allocation or one of stdio's. `took_ticks` is 0 if it was not timed. A call that
/// gives back a block, or asks about one, has no site.
#[inline(always)]
pub fn count_in_memory(function: Function, requested: u64, took_ticks: u64) {
    if matches!(function.row().role, Role::Free | Role::Query) {
        return;
    }
    if let Some(leaf) = stacks::leaf(function) {
        leaf.calls.add_shared(1);
        leaf.requested_bytes.add_shared(requested);
        if took_ticks != 0 {
            leaf.ticks.add_shared(took_ticks);
        }
    }
}

/// Counts an I/O call that has been made.
#[cold]
#[inline(never)]
pub fn count_call(
    function: Function,
    requested: u64,
    took_ticks: u64,
    moved: u64,
    has_failed: bool,
) {
    if matches!(function.row().role, Role::Map | Role::Unmap) {
        stacks::mappings_have_changed();
    }
    let Some(leaf) = stacks::leaf(function) else {
        return;
    };
    leaf.calls.add_shared(1);
    leaf.requested_bytes.add_shared(requested);
    leaf.moved_bytes.add_shared(moved);
    leaf.ticks.add_shared(took_ticks);
    leaf.errors.add_shared(has_failed.into());
}
