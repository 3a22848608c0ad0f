//! Call stacks: which way the program came to a call.
//!
//! ```text
//! call_frames   reads unwind information
//! rule          what it says of one return address, packed
//! rules         the rules that have been read
//! modules       the loaded objects
//! trie          the nodes in the region, and how they are found
//! memo          what a thread remembers of its last stack
//! walk          from a call to its outermost caller
//! ```

mod call_frames;
mod memo;
mod modules;
mod rule;
mod rules;
mod trie;
mod walk;

use std::sync::atomic::{AtomicBool, Ordering};

use weir_record::functions::Function;
use weir_record::region::Region;
use weir_record::settings::Stacks;
use weir_record::stacks::{Cut, Key, Node, Place};

use crate::arch::State;
use crate::arch::unwinding::state_of_caller;
use crate::environment;
use crate::process::{self, modes};

use memo::Memo;
pub use memo::{leave, mappings_have_changed};

/// Whether every stack is unwound a second time, in full.
static IS_VERIFIED: AtomicBool = AtomicBool::new(false);

/// Whether stacks are taken.
#[inline(always)]
pub fn are_taken() -> bool {
    modes::are(modes::STACKS)
}

/// Begins to take stacks in a new region, where the settings say so and there is memory for it. Signals are blocked, and no other
/// thread takes any.
pub fn begin(region: &Region<'static>) {
    let mode = environment::get().stacks;
    if !mode.are_taken() {
        return;
    }
    IS_VERIFIED.store(mode == Stacks::Verify, Ordering::Relaxed);
    modules::begin();
    walk::forget_stacks();
    if rules::begin() && trie::begin(region) {
        modes::set(modes::STACKS);
    }
}

/// In a child of fork: there are no stacks until it has a region of its own.
pub fn forked() {
    modes::clear(modes::STACKS);
}

/// The process gives up the right to make system calls: what takes some is done now.
pub fn prepare_for_sandbox() {
    if are_taken() {
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

/// The leaf for a call of this function from where the program is; none where none can be had.
#[inline(never)]
pub fn leaf(function: Function) -> Option<&'static Node> {
    let mut state = State::default();
    // SAFETY: it writes one state.
    unsafe { state_of_caller(&raw mut state) };
    let (leaf, cut) = match memo::take(state.stack_pointer) {
        Ok(memo) => {
            let (node, mut cut) = walk::callers(memo, state);
            if IS_VERIFIED.load(Ordering::Relaxed) {
                let verified = walk::callers_in_full(memo, state);
                if verified != (node, cut) {
                    cut = Some(Cut::Differs);
                }
            }
            let leaf = if (memo.leaf.0, memo.leaf.1) == (node, function as u32) {
                Some(memo.leaf.2)
            } else {
                let leaf = trie::find(node, Key::leaf(function))
                    .or_else(|| make_leaf(memo, node, function));
                if let Some(leaf) = leaf {
                    memo.leaf = (node, function as u32, leaf);
                }
                leaf
            };
            memo.give_back();
            (leaf, cut)
        }
        Err(cut) => {
            let (root, key) = (trie::ROOT, Key::leaf(function));
            let leaf = trie::find(root, key).or_else(|| trie::make(root, key, NO_PLACE));
            (leaf, Some(cut))
        }
    };
    if leaf.is_none() || cut.is_some() {
        note(cut.unwrap_or(Cut::NoRoom));
    }
    trie::node(leaf?)
}

/// A leaf has no place: the frame that it goes on from has.
const NO_PLACE: Place = Place {
    module: None,
    offset: 0,
};

#[cold]
#[inline(never)]
fn make_leaf(memo: &mut Memo, node: u32, function: Function) -> Option<u32> {
    let mut made = None;
    memo.on_own_stack(|| made = trie::make(node, Key::leaf(function), NO_PLACE));
    made
}

#[cold]
#[inline(never)]
fn note(cut: Cut) {
    if let Some(header) = process::header() {
        header.cut(cut).add_shared(1);
    }
}
