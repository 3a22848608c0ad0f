//! Call stacks: which way the program came to a call.
//!
//! ```text
//! call_frames   reads unwind information
//! rule          what it says of one return address, packed
//! rules         the rules that have been read
//! modules       the loaded objects
//! trie          the nodes in the region, and how they are found
//! live          at which leaf each live block was made
//! copies        memory that may be taken away while it is read
//! spans         what can be read of stacks without the kernel
//! memo          what a thread remembers of its last stack
//! python        the frames of CPython, which are in no stack
//! leaving       from code of ours to the program, for calls that look for their callers
//! walk          from a call to its outermost caller
//! ```

mod call_frames;
mod copies;
pub mod leaving;
pub mod live;
mod memo;
mod modules;
mod python;
mod rule;
mod rules;
mod spans;
mod trie;
mod walk;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use weir_record::clock;
use weir_record::region::Region;
use weir_record::settings::Stacks;
use weir_record::stacks::{Called, Cut, Group, Key, LeafOwner, Node};

use crate::arch::State;
use crate::arch::unwinding::state_of_caller;
use crate::environment;
use crate::process::{self, modes};
use crate::sys::{self, Turn};
use crate::thread;

use memo::Memo;
pub use memo::{leave, share};
pub use python::before_unmapping;
pub use spans::mappings_have_changed;
use trie::What;
pub use trie::node;

/// Whether every stack is unwound a second time, in full.
static IS_VERIFIED: AtomicBool = AtomicBool::new(false);
/// One thread begins.
static BEGINNING: Turn = Turn::new();

/// Whether stacks are taken.
#[inline(always)]
pub fn are_taken() -> bool {
    modes::are(modes::STACKS)
}

/// Begins to take stacks in a new region, where the settings say so and there is room for it. Signals are blocked, and no other
/// thread takes any. Where only samples are taken of the heap, stacks begin with the first [that is worth it](begin_late).
pub fn begin(region: &Region<'static>) {
    let mode = environment::get().stacks;
    // Under a limit on memory there is no room for any, and none is taken from the program.
    if !mode.are_taken() || region.all_nodes().is_empty() {
        return;
    }
    IS_VERIFIED.store(mode == Stacks::Verify, Ordering::Relaxed);
    region.header.sampled_bytes.set(mode.sampled_bytes());
    if mode.sampled_bytes() != 0 || environment::get().has_lifetimes {
        modes::set(modes::LIFETIMES);
    }
    if mode.sampled_bytes() == 0 {
        begin_in(region);
    } else {
        CALLS_BEFORE.store(0, Ordering::Relaxed);
        modes::set(modes::SAMPLES);
    }
}

/// A process of which only samples are taken begins with its first I/O call that takes long, or with this many calls: to begin costs
/// more than the call sites of most short programs are worth.
const MANY_CALLS: u32 = 1000;

/// I/O calls before that.
static CALLS_BEFORE: AtomicU32 = AtomicU32::new(0);

/// Whether stacks begin with this I/O call, which took so many ticks.
#[cold]
#[inline(never)]
pub fn begin_with_call(took_ticks: u64) -> bool {
    let is_worth_it = took_ticks >= clock::ticks_of_a_long_call()
        || CALLS_BEFORE.fetch_add(1, Ordering::Relaxed) >= MANY_CALLS;
    is_worth_it && begin_late()
}

/// Whether stacks are taken, which begins here, in a process of which only samples are taken, if it has not.
#[cold]
#[inline(never)]
pub fn begin_late() -> bool {
    if are_taken() {
        return true;
    }
    if !modes::are(modes::SAMPLES) || sys::is_sealed() {
        return false;
    }
    let Some(region) = process::mapped_region() else {
        return false;
    };
    let begin = || {
        // Another thread may have been faster.
        if !are_taken() && !begin_in(&region) {
            // There is no memory: it is not tried again.
            modes::clear(modes::SAMPLES);
            note(Cut::NoMemory);
        }
        Some(())
    };
    sys::on_own_stack_if_possible(|| _ = BEGINNING.with(begin));
    are_taken()
}

fn begin_in(region: &Region<'static>) -> bool {
    sys::try_to_peek();
    modules::begin();
    python::begin();
    walk::forget_stacks();
    let has_begun = rules::begin() && live::begin() && trie::begin(region);
    if has_begun {
        modes::set(modes::STACKS);
    }
    has_begun
}

/// In a child of fork: there are no stacks until it has a region of its own.
pub fn forked() {
    modes::clear(modes::STACKS | modes::SAMPLES | modes::LIFETIMES);
    BEGINNING.forget();
}

/// The process gives up the right to make system calls: what takes some is done now.
pub fn prepare_for_sandbox() {
    if begin_late() {
        modules::look_at_all();
    }
}

/// Code has gone: what is known of it is forgotten.
pub fn forget_code() {
    if are_taken() {
        modules::forget();
        rules::forget();
        walk::forget_stacks();
    }
}

/// A leaf that was found for a call. Two registers.
#[derive(Clone, Copy)]
pub struct Leaf {
    /// Its counters.
    pub node: &'static Node,
    /// What is noted of a block that is made there.
    pub mark: live::Mark,
}

/// The leaf of a thread for such a call from where the program is; none where none can be had. It may be a shared one.
#[inline(never)]
pub fn leaf(called: Called, owner: LeafOwner) -> Option<Leaf> {
    let image = live::image();
    let mut state = State::default();
    // SAFETY: it writes one state.
    unsafe { state_of_caller(&raw mut state) };
    let found = match memo::take(state.stack_pointer) {
        Ok(memo) => {
            let found = found_with(memo, &state, called, owner);
            memo.give_back();
            found
        }
        Err(cut) => without_memo(called, owner, cut),
    };
    found.leaf(image)
}

/// The same, with less of the thread's stack: what is not remembered is found on a stack of our own, at the cost of two system calls.
/// Inlined, so that the two ways use the same part of the stack one after the other.
#[inline(always)]
pub fn leaf_aside(called: Called, owner: LeafOwner) -> Option<Leaf> {
    let image = live::image();
    let mut state = State::default();
    // SAFETY: it writes one state.
    unsafe { state_of_caller(&raw mut state) };
    let mut found = recalled(&state, called, owner);
    if found.leaf == trie::ROOT {
        found = found_aside(&state, called, owner);
    }
    found.leaf(image)
}

/// The leaf, if its stack is remembered and it has been made.
#[inline(never)]
fn recalled(state: &State, called: Called, owner: LeafOwner) -> Found {
    let Ok(memo) = memo::take(state.stack_pointer) else {
        return Found::default();
    };
    let mut leaf = None;
    let mut cut = None;
    if let Some(node) = walk::recalled(memo, state, called.function_bits()) {
        let (node, cut_of_python) = python::joined(memo, node);
        cut = memo.cut.or(cut_of_python);
        leaf = memo.leaf(node, called);
        if leaf.is_none() {
            leaf = find_made(node, Key::leaf(called, owner));
            memo.keep_leaf(node, called, leaf.unwrap_or(trie::ROOT));
        }
    }
    memo.give_back();
    Found {
        leaf: leaf.unwrap_or(trie::ROOT),
        cut,
    }
}

#[cold]
#[inline(never)]
fn found_aside(state: &State, called: Called, owner: LeafOwner) -> Found {
    match memo::take(state.stack_pointer) {
        Ok(memo) => {
            // In one, to take little of the stack.
            let mut asked = (state, called, owner, Found::default());
            memo.aside(|memo| asked.3 = found_with(memo, asked.0, asked.1, asked.2));
            memo.give_back();
            asked.3
        }
        Err(cut) => without_memo(called, owner, cut),
    }
}

/// The number of a leaf, 0 where none could be had, and why the stack is cut, if it is.
#[derive(Clone, Copy, Default)]
struct Found {
    leaf: u32,
    cut: Option<Cut>,
}

impl Found {
    #[inline(always)]
    fn leaf(self, image: u32) -> Option<Leaf> {
        if self.leaf == trie::ROOT || self.cut.is_some() {
            note(self.cut.unwrap_or(Cut::NoRoom));
        }
        if self.leaf == trie::ROOT {
            return None;
        }
        trie::node(self.leaf).map(|node| Leaf {
            node,
            mark: live::Mark::new(image, self.leaf),
        })
    }
}

#[inline(always)]
fn found_with(memo: &mut Memo, state: &State, called: Called, owner: LeafOwner) -> Found {
    let (node, mut cut) = walk::callers(memo, state, called.function_bits());
    if IS_VERIFIED.load(Ordering::Relaxed) && walk::callers_in_full(memo, state) != (node, cut) {
        cut = Some(Cut::Differs);
    }
    let (node, cut_of_python) = python::joined(memo, node);
    cut = cut.or(cut_of_python);
    let leaf = memo.leaf(node, called);
    let leaf = leaf.or_else(|| find_leaf(memo, node, called, owner));
    Found {
        leaf: leaf.unwrap_or(trie::ROOT),
        cut,
    }
}

#[cold]
#[inline(never)]
fn without_memo(called: Called, owner: LeafOwner, cut: Cut) -> Found {
    Found {
        leaf: find_or_make(trie::ROOT, Key::leaf(called, owner)).unwrap_or(trie::ROOT),
        cut: Some(cut),
    }
}

/// The leaf of another owner at the same site.
#[cold]
#[inline(never)]
pub fn leaf_beside(leaf: &'static Node, owner: LeafOwner) -> Option<&'static Node> {
    let function = leaf.key().function()?;
    on_own_stack(leaf.parent(), Key::leaf(Called::of(function), owner))
}

/// The leaf of another call from where a leaf is, which may be of the same.
#[inline(always)]
pub fn leaf_of_the_same_stack(
    leaf: &'static Node,
    called: Called,
    owner: LeafOwner,
) -> Option<&'static Node> {
    let key = Key::leaf(called, owner);
    match leaf.key() == key {
        true => Some(leaf),
        false => on_own_stack(leaf.parent(), key),
    }
}

/// A node with further counters of a leaf with blocks.
#[cold]
#[inline(never)]
pub fn beside(leaf: &'static Node, group: Group) -> Option<&'static Node> {
    let key = leaf.key();
    on_own_stack(
        leaf.parent(),
        Key::beside(key.function()?, key.owner(), group),
    )
}

/// Finds or makes a leaf; makes it on a stack of our own where the thread has one.
fn on_own_stack(parent: u32, key: Key) -> Option<&'static Node> {
    let found = trie::find(parent, key);
    let number = match found {
        Some(number) => Some(number),
        // Nothing of a thread's is ours there.
        None if !sys::has_thread_area() => find_or_make(parent, key),
        None => match memo::take(thread::stack_pointer()) {
            Ok(memo) => {
                let mut made = None;
                memo.on_own_stack(|| made = find_or_make(parent, key));
                memo.give_back();
                made
            }
            Err(_) => find_or_make(parent, key),
        },
    };
    trie::node(number?)
}

#[inline(never)]
fn find_leaf(memo: &mut Memo, node: u32, called: Called, owner: LeafOwner) -> Option<u32> {
    let key = Key::leaf(called, owner);
    let mut leaf = find_made(node, key);
    if leaf.is_none() {
        memo.on_own_stack(|| leaf = find_or_make(node, key));
    }
    if let Some(leaf) = leaf {
        memo.keep_leaf(node, called, leaf);
    }
    leaf
}

/// The leaf of a key; or the one in its place, where there is no room for it.
#[inline(always)]
fn find_made(parent: u32, key: Key) -> Option<u32> {
    trie::find(parent, key).or_else(|| {
        trie::find(
            parent,
            Some(in_place_of(key)).filter(|&other| other != key)?,
        )
    })
}

/// The key of the leaf for calls that have this one. Where the room for nodes gets scarce, calls about several files share a leaf,
/// and then threads do.
fn in_place_of(key: Key) -> Key {
    let key = match key.file() {
        Some(_) if trie::is_in_use(trie::FOR_FILES) => key.of_any_file(),
        _ => key,
    };
    match trie::is_in_use(trie::FOR_OWNERS) && !key.owner().is_first() {
        true => key.of_owner(LeafOwner::SHARED),
        false => key,
    }
}

fn find_or_make(parent: u32, key: Key) -> Option<u32> {
    let key = in_place_of(key);
    trie::find(parent, key).or_else(|| trie::make(parent, key, What::Nothing))
}

#[cold]
#[inline(never)]
fn note(cut: Cut) {
    if let Some(header) = process::header() {
        header.cut(cut).add_shared(1);
    }
}
