//! What each coroutine did: the entries of the region's table of coroutines.

use std::ffi::c_void;
use std::ptr::NonNull;

use weir_record::coroutine::{Coroutine, ENDED, NAME_BYTES, RUNTIME, WAYS, set_of};

use super::runtime;
use crate::{process, thread};

/// How a call changed the heap. A negative difference wraps around.
#[derive(Clone, Copy, Debug)]
pub struct Heap {
    /// The difference in bytes.
    pub bytes: u64,
    /// The difference in blocks.
    pub blocks: u64,
    /// How many blocks the call made.
    pub made: u64,
}

/// The table; empty if there is none. Not inlined, because a `Region` takes room on the stack.
#[inline(never)]
fn entries() -> &'static [Coroutine] {
    process::mapped_region().map_or(&[], |region| region.coroutines())
}

/// The entries that a coroutine may use, out of `rest`, which is all entries but the first.
fn set(rest: &'static [Coroutine], id: u64) -> Option<&'static [Coroutine]> {
    let from = set_of(id, rest.len());
    rest.get(from..from + WAYS)
}

/// The entry of a coroutine. `None` if there is no table.
fn entry(coroutine: NonNull<c_void>) -> Option<&'static Coroutine> {
    let (others, rest) = entries().split_first()?;
    let id = coroutine.addr().get() as u64;
    let set = set(rest, id)?;
    match set.iter().find(|entry| entry.id() == id) {
        Some(found) => Some(found),
        None => new_entry(coroutine, set, others),
    }
}

/// Gives one of the entries in `set` to a coroutine. Returns `others` if another thread takes the entry at the same
/// time.
#[cold]
#[inline(never)]
fn new_entry(
    coroutine: NonNull<c_void>,
    set: &'static [Coroutine],
    others: &'static Coroutine,
) -> Option<&'static Coroutine> {
    let id = coroutine.addr().get() as u64;
    let fresh = set
        .iter()
        .find(|entry| entry.id() == 0 && entry.take(0, id));
    let entry = match fresh {
        Some(entry) => entry,
        None => {
            // The least used entry is reused, unless another thread takes it at the same time.
            let least = set.iter().min_by_key(|entry| entry.calls.get())?;
            let before = least.id();
            if !least.take(before, id) {
                return Some(others);
            }
            least.fold_into(others);
            if let Some(header) = process::header() {
                header.folded_coroutines.add_shared(1);
            }
            least
        }
    };
    set_name(entry, coroutine);
    Some(entry)
}

/// Asks the runtime for the name of a coroutine. Not inlined, because the name takes room on the stack.
#[inline(never)]
fn set_name(entry: &Coroutine, coroutine: NonNull<c_void>) {
    let mut name = [0; NAME_BYTES];
    let length = runtime::coroutine_name(coroutine, &mut name);
    entry.name.set(&name[..length]);
}

/// The entry of the coroutine that runs. While it waits, its calls are the runtime's: they are counted in the last
/// entry.
fn running() -> Option<&'static Coroutine> {
    if thread::is_guarded() {
        return None;
    }
    let coroutine = runtime::current()?;
    if runtime::is_waiting(coroutine) {
        let entry = entries().last()?;
        return (entry.id() == RUNTIME || entry.take(0, RUNTIME)).then_some(entry);
    }
    entry(coroutine)
}

/// Counts a call for the coroutine that runs, if any.
#[cold]
#[inline(never)]
pub fn count_call(moved_bytes: u64, has_waited: bool, wait_ticks: u64) {
    if let Some(entry) = running() {
        entry.calls.add_shared(1);
        entry.moved_bytes.add_shared(moved_bytes);
        if has_waited {
            entry.waits.add_shared(1);
            entry.wait_ticks.add_shared(wait_ticks);
        }
    }
}

/// Counts a call of the heap for the coroutine that runs, if any.
#[cold]
#[inline(never)]
pub fn count_heap(heap: Heap) {
    if let Some(entry) = running() {
        entry.calls.add_shared(1);
        entry.allocations.add_shared(heap.made);
        entry.live_bytes.add_shared(heap.bytes);
        entry.live_blocks.add_shared(heap.blocks);
    }
}

/// Called when a coroutine has ended. A new coroutine may get the same pointer; it then gets another entry, if one is
/// free.
pub fn ended(coroutine: NonNull<c_void>) {
    let Some((_, rest)) = entries().split_first() else {
        return;
    };
    let id = coroutine.addr().get() as u64;
    let set = set(rest, id).unwrap_or_default();
    if let Some(entry) = set.iter().find(|entry| entry.id() == id) {
        entry.take(id, id | ENDED);
    }
}
