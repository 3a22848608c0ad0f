//! What is recorded of call stacks: a trie of return addresses, and counters at its leaves.
//!
//! A node is an edge of the trie: from the callers (its parent) to a return address. A leaf is a call of an interposed function
//! from there, and has the counters of such calls: those of one thread, so that it adds without locked instructions, or of all
//! threads that have no leaf of their own. Node 0 is the root: no caller is known.
//!
//! ```text
//! key           what a node stands for
//! node          a node, and the counters of a leaf
//! lifetimes     how long blocks live, in nodes beside a leaf
//! module        the loaded objects whose code is in the stacks
//! interpreted   functions of interpreted code
//! cut           why a stack ends early
//! ```

mod cut;
mod interpreted;
mod key;
pub mod lifetimes;
mod module;
mod node;

use crate::functions::{Family, Function, Role};

pub use cut::Cut;
pub use interpreted::{InterpretedCode, Line};
pub use key::{Called, Group, Key, LeafOwner};
pub use module::Module;
pub use node::{Blocks, Calls, Node, Place};

/// Whether calls of a function make blocks of the heap.
#[inline(always)]
pub const fn makes_blocks(function: Function) -> bool {
    let row = function.constant_row();
    matches!(row.family, Family::Alloc) && matches!(row.role, Role::Allocate | Role::Resize)
}

/// Whether calls of a function have sites, where the stacks of all calls are taken: not those that free blocks or ask about them, and not
/// those that make, end or replace processes, or are only counted.
pub fn has_sites(function: Function) -> bool {
    let row = function.row();
    let is_timed = !matches!(row.family, Family::Process | Family::CountOnly);
    let is_io = !matches!(row.family, Family::Alloc | Family::Stdio);
    is_timed && (is_io || !matches!(row.role, Role::Free | Role::Query))
}

/// The functions that make blocks.
pub const MAKERS: [Function; MAKER_COUNT] = {
    let mut makers = [Function::Malloc; MAKER_COUNT];
    let (mut found, mut index) = (0, 0);
    while index < Function::COUNT {
        if makes_blocks(Function::ALL[index]) {
            makers[found] = Function::ALL[index];
            found += 1;
        }
        index += 1;
    }
    makers
};

const MAKER_COUNT: usize = {
    let (mut found, mut index) = (0, 0);
    while index < Function::COUNT {
        found += makes_blocks(Function::ALL[index]) as usize;
        index += 1;
    }
    found
};
