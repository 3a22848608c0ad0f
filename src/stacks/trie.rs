//! The trie of return addresses in the region, and the index by which its nodes are found.
//!
//! The index is private memory: numbers of nodes, found by hash. What it says is believed only if the node says the same, so
//! that neither two threads nor what is left of a parent's index do harm. No lock is taken. A node that two threads make at once
//! may be there twice; readers add such nodes up.
//!
//! The index has levels, each sixteen times as large as the one before, which are used in this order: the numbers of a
//! program with few stacks lie close together, in few pages and cache lines.

use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};

use weir_record::region::{MAX_NODES, Region};
use weir_record::stacks::{Key, Line, Node, Place};

use crate::process::{self, copied};
use crate::region::mapping;
use crate::sys::{self, Turn};

/// The number of the root.
pub const ROOT: u32 = 0;

/// Bits of the places of each level. All but the last are left when they are half full.
const LEVEL_BITS: [u32; 3] = [13, 17, 21];
const _: () = assert!(1 << LEVEL_BITS[2] == 2 * MAX_NODES);
/// Where each level begins.
const LEVEL_AT: [usize; 3] = [
    0,
    1 << LEVEL_BITS[0],
    (1 << LEVEL_BITS[0]) + (1 << LEVEL_BITS[1]),
];
const INDEX_ENTRIES: usize = LEVEL_AT[2] + (1 << LEVEL_BITS[2]);
const INDEX_BYTES: usize = INDEX_ENTRIES * size_of::<AtomicU32>();
/// The bits of a number in an entry of the index.
const NUMBER: u32 = MAX_NODES as u32 - 1;
const _: () = assert!(MAX_NODES.is_power_of_two());
/// How far from its place a number may stand.
const MOST_STEPS: usize = 64;

static INDEX: AtomicPtr<AtomicU32> = AtomicPtr::new(ptr::null_mut());
static NODES: AtomicPtr<Node> = AtomicPtr::new(ptr::null_mut());
/// The last level of the index that is in use.
static LEVEL: AtomicUsize = AtomicUsize::new(0);
/// How many nodes, from the first, have their memory in this process.
static MADE: AtomicUsize = AtomicUsize::new(0);
/// Nodes get their memory in order.
static MAKING: Turn = Turn::new();

/// Begins a trie in a new region. False where there is no memory for it.
pub fn begin(region: &Region<'static>) -> bool {
    NODES.store(ptr::null_mut(), Ordering::Relaxed);
    MADE.store(0, Ordering::Relaxed);
    LEVEL.store(0, Ordering::Relaxed);
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

/// The part of the nodes that leaves for files may fill.
pub const FOR_FILES: usize = MAX_NODES / 4;
/// The part of the nodes that leaves of threads may fill.
pub const FOR_OWNERS: usize = MAX_NODES / 2;

/// Whether more than so many nodes are in use.
pub fn is_in_use(nodes: usize) -> bool {
    process::header().is_some_and(|header| header.nodes_claimed() > nodes)
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
    let hash = key.hash(parent);
    // The last level has most nodes.
    let level = LEVEL.load(Ordering::Relaxed);
    let entry = entry_at(level, hash, 0)?.load(Ordering::Acquire);
    number_in(entry, hash, parent, key).or_else(|| find_further(parent, key))
}

/// The number in an entry of the index, if it is that of the node. Most others differ in the part of the hash that the entry has.
#[inline(always)]
fn number_in(entry: u32, hash: u64, parent: u32, key: Key) -> Option<u32> {
    let number = entry & NUMBER;
    let is_it = entry != 0
        && entry & !NUMBER == tag(hash)
        && node(number).is_some_and(|node| node.is(parent, key));
    is_it.then_some(number)
}

/// The upper bits of a hash, as an entry of the index has them beside the number.
#[inline(always)]
fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32 & !NUMBER
}

#[inline(never)]
fn find_further(parent: u32, key: Key) -> Option<u32> {
    let hash = key.hash(parent);
    (0..=LEVEL.load(Ordering::Relaxed)).rev().find_map(|level| {
        let mut entries = (0..MOST_STEPS).map_while(|step| {
            let entry = entry_at(level, hash, step)?.load(Ordering::Acquire);
            (entry != 0).then_some(entry)
        });
        entries.find_map(|entry| number_in(entry, hash, parent, key))
    })
}

/// The entry so many steps behind the first place of a hash, in a level.
#[inline(always)]
fn entry_at(level: usize, hash: u64, step: usize) -> Option<&'static AtomicU32> {
    let index = INDEX.load(Ordering::Relaxed);
    let level = level.min(LEVEL_BITS.len() - 1);
    let place = ((hash >> 20) as usize + step) & ((1 << LEVEL_BITS[level]) - 1);
    // SAFETY: NULL, or so many numbers, which are never given back.
    unsafe {
        index.as_ref()?;
        index.add(LEVEL_AT[level] + place).as_ref()
    }
}

/// What a new node says besides its key.
#[derive(Clone, Copy)]
pub enum What {
    /// A frame: where its code is.
    Place(Place),
    /// A frame of interpreted code: which line.
    Line(Line),
    /// No frame: that it goes on from.
    Nothing,
}

const NOWHERE: Place = Place {
    module: None,
    offset: 0,
    is_interpreter: false,
};

/// Makes the node that a key leads to from a parent, or finds it where another thread has made it. None where there is no room.
pub fn make(parent: u32, key: Key, what: What) -> Option<u32> {
    let hash = key.hash(parent);
    let level = level_for_next()?;
    let mut made = None;
    for step in 0..MOST_STEPS {
        let entry = entry_at(level, hash, step)?;
        let mut found = entry.load(Ordering::Acquire);
        if found == 0 {
            let fresh = match made {
                Some(fresh) => fresh,
                None => begin_node(parent, key, what)?,
            };
            made = Some(fresh);
            let new = tag(hash) | fresh;
            match entry.compare_exchange(0, new, Ordering::Release, Ordering::Acquire) {
                Ok(_) => return Some(fresh),
                Err(other) => found = other,
            }
        }
        if let Some(number) = number_in(found, hash, parent, key) {
            return Some(number);
        }
    }
    None
}

/// The level for the next node: the first that is less than half full.
fn level_for_next() -> Option<usize> {
    let claimed = process::header()?.nodes_claimed();
    let last = LEVEL_BITS.len() - 1;
    let is_half_full = |&level: &usize| level < last && claimed >= 1 << (LEVEL_BITS[level] - 1);
    let level = (0..=last).find(|level| !is_half_full(level))?;
    LEVEL.fetch_max(level, Ordering::Relaxed);
    Some(level)
}

/// A new node.
fn begin_node(parent: u32, key: Key, what: What) -> Option<u32> {
    let region = process::mapped_region()?;
    let nodes = region.all_nodes();
    // In a child that no hook has seen yet, nothing is added to its parent's region.
    if copied::is_copy() == Some(true) {
        return None;
    }
    // The nodes are those of another region, in a child that does not know it yet.
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
    let made = nodes.get(number)?;
    match what {
        What::Place(place) => {
            let is_in_interpreter = node(parent).is_some_and(|callers| {
                parent != ROOT && !key.is_leaf() && callers.is_in_interpreter()
            });
            made.begin(parent, key, place, is_in_interpreter);
        }
        What::Line(line) => made.begin_interpreted(parent, key, line),
        What::Nothing => made.begin(parent, key, NOWHERE, false),
    }
    u32::try_from(number).ok()
}

fn make_more(region: &Region<'static>) -> Option<()> {
    let _allowed = sys::allowed()?;
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
