//! The trie of return addresses in the region, and the index by which its nodes are found.
//!
//! The index is private memory: numbers of nodes, found by hash. What it says is believed only if the node says the same, so
//! that neither two threads nor what is left of a parent's index do harm. No lock is taken. A node that two threads make at once
//! may be there twice; readers add such nodes up.

use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};

use weir_record::region::{MAX_NODES, Region};
use weir_record::stacks::{Key, Node, Place};

use crate::process;
use crate::region::mapping;
use crate::sys::{self, Turn};

/// The number of the root.
pub const ROOT: u32 = 0;

const INDEX_ENTRIES: usize = 2 * MAX_NODES;
const INDEX_BYTES: usize = INDEX_ENTRIES * size_of::<AtomicU32>();
/// How far from its place a number may stand.
const MOST_STEPS: usize = 64;

static INDEX: AtomicPtr<AtomicU32> = AtomicPtr::new(ptr::null_mut());
static NODES: AtomicPtr<Node> = AtomicPtr::new(ptr::null_mut());
/// How many nodes, from the first, have their memory in this process.
static MADE: AtomicUsize = AtomicUsize::new(0);
/// Nodes get their memory in order.
static MAKING: Turn = Turn::new();

/// Begins a trie in a new region. False where there is no memory for it.
pub fn begin(region: &Region<'static>) -> bool {
    NODES.store(ptr::null_mut(), Ordering::Relaxed);
    MADE.store(0, Ordering::Relaxed);
    MAKING.forget();
    let index = INDEX.load(Ordering::Relaxed);
    if index.is_null() {
        let Some(start) = sys::reserve(INDEX_BYTES) else {
            return false;
        };
        INDEX.store(start.cast(), Ordering::Relaxed);
    } else {
        sys::empty(index.cast(), INDEX_BYTES);
    }
    let nodes = region.all_nodes();
    let Some(made) = mapping::make_nodes(0).filter(|&made| made <= nodes.len()) else {
        return false;
    };
    // The root.
    region.header.claim_node();
    region.header.make_nodes(made);
    NODES.store(nodes.as_ptr().cast_mut(), Ordering::Relaxed);
    MADE.store(made, Ordering::Release);
    true
}

/// Whether more than half of the nodes are in use.
pub fn is_scarce() -> bool {
    process::header().is_some_and(|header| header.nodes_claimed() > MAX_NODES / 2)
}

/// The node of a number that has its memory.
#[inline(always)]
pub fn node(number: u32) -> Option<&'static Node> {
    if number as usize >= MADE.load(Ordering::Acquire) {
        return None;
    }
    let nodes = NODES.load(Ordering::Relaxed);
    // SAFETY: so many nodes of the region have their memory, which stays mapped.
    unsafe {
        nodes.as_ref()?;
        nodes.add(number as usize).as_ref()
    }
}

/// The number of the node that a key leads to from a parent; none where there is none yet.
#[inline(always)]
pub fn find(parent: u32, key: Key) -> Option<u32> {
    let entry = entry_at(first_place(parent, key))?;
    let number = entry.load(Ordering::Acquire);
    if number != 0 && node(number).is_some_and(|node| node.is(parent, key)) {
        return Some(number);
    }
    find_further(parent, key)
}

#[inline(never)]
fn find_further(parent: u32, key: Key) -> Option<u32> {
    let first = first_place(parent, key);
    let numbers = (0..MOST_STEPS).map_while(|step| {
        let number = entry_at(first + step)?.load(Ordering::Acquire);
        (number != 0).then_some(number)
    });
    numbers
        .into_iter()
        .find(|&number| node(number).is_some_and(|node| node.is(parent, key)))
}

#[inline(always)]
fn first_place(parent: u32, key: Key) -> usize {
    (key.hash(parent) >> 20) as usize % INDEX_ENTRIES
}

#[inline(always)]
fn entry_at(place: usize) -> Option<&'static AtomicU32> {
    let index = INDEX.load(Ordering::Relaxed);
    // SAFETY: NULL, or so many numbers, which are never given back.
    unsafe {
        index.as_ref()?;
        index.add(place % INDEX_ENTRIES).as_ref()
    }
}

/// Makes the node that a key leads to from a parent, or finds it where another thread has made it. None where there is no room.
pub fn make(parent: u32, key: Key, place: Place) -> Option<u32> {
    let first = first_place(parent, key);
    let mut made = None;
    for step in 0..MOST_STEPS {
        let entry = entry_at(first + step)?;
        let mut number = entry.load(Ordering::Acquire);
        if number == 0 {
            let fresh = match made {
                Some(fresh) => fresh,
                None => begin_node(parent, key, place)?,
            };
            made = Some(fresh);
            match entry.compare_exchange(0, fresh, Ordering::Release, Ordering::Acquire) {
                Ok(_) => return Some(fresh),
                Err(other) => number = other,
            }
        }
        if node(number).is_some_and(|node| node.is(parent, key)) {
            return Some(number);
        }
    }
    None
}

/// A new node.
fn begin_node(parent: u32, key: Key, place: Place) -> Option<u32> {
    let region = process::mapped_region()?;
    let nodes = region.all_nodes();
    // Another region's, in a child that has not been told.
    if !ptr::eq(nodes.as_ptr(), NODES.load(Ordering::Relaxed)) {
        return None;
    }
    let claimed = region.header.nodes_claimed();
    // What is known already must be found again at its leaves: by threads that come to them later, and that free what was made there.
    if !key.is_leaf() && claimed >= nodes.len() / 4 * 3 {
        return None;
    }
    // So that none is claimed that there is no room for.
    if MADE.load(Ordering::Relaxed) >= nodes.len() && claimed >= nodes.len() {
        return None;
    }
    let number = region.header.claim_node();
    while number >= MADE.load(Ordering::Acquire) {
        make_more(&region)?;
    }
    nodes.get(number)?.begin(parent, key, place);
    u32::try_from(number).ok()
}

fn make_more(region: &Region<'static>) -> Option<()> {
    if sys::is_sealed() {
        return None;
    }
    let seen = MADE.load(Ordering::Acquire);
    let make = || {
        let made = MADE.load(Ordering::Relaxed);
        // Another thread has done it.
        if made > seen {
            return Some(());
        }
        let more = mapping::make_nodes(made)?;
        if made + more > region.all_nodes().len() {
            return None;
        }
        region.header.make_nodes(made + more);
        MADE.store(made + more, Ordering::Release);
        Some(())
    };
    sys::with_signals_blocked(|| MAKING.with(make))
}
