//! What is recorded of call stacks: a trie of return addresses, and counters at its leaves.
//!
//! A node is an edge of the trie: from the callers (its parent) to a return address. A leaf is a call of an interposed function
//! from there, and has the counters of all such calls. Node 0 is the root: no caller is known.

use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

use crate::counter::Counter;
use crate::functions::Function;
use crate::text::Text;

/// What a node stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(u64);

impl Key {
    /// Set in the key of a leaf; no address of a program has it.
    const LEAF: u64 = 1 << 63;

    /// A return address.
    pub const fn address(address: u64) -> Key {
        Key(address & !Self::LEAF)
    }

    /// A call of this function.
    pub const fn leaf(function: Function) -> Key {
        Key(Self::LEAF | function.index() as u64)
    }

    /// The function, of a leaf.
    pub fn function(self) -> Option<Function> {
        let index = usize::try_from(self.0 & !Self::LEAF).ok()?;
        Function::from_index(index).filter(|_| self.0 & Self::LEAF != 0)
    }

    /// Whether it is that of a leaf.
    pub const fn is_leaf(self) -> bool {
        self.0 & Self::LEAF != 0
    }

    /// A number that differs between most keys and parents.
    #[inline(always)]
    pub const fn hash(self, parent: u32) -> u64 {
        let mixed =
            (self.0 ^ ((parent as u64) << 40 | parent as u64)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^ mixed >> 29
    }
}

/// Where the code is that a return address leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The number of the module; none for code that is in no loaded object.
    pub module: Option<u32>,
    /// The return address, less the module's load bias: as the module's file has it.
    pub offset: u64,
}

/// A node of the trie; one cache line.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Node {
    key: AtomicU64,
    parent: AtomicU32,
    /// The number of the module plus one; 0 is none.
    module: AtomicU32,
    offset: AtomicU64,
    /// Calls.
    pub calls: Counter,
    /// Calls that failed.
    pub errors: Counter,
    /// Bytes asked for.
    pub requested_bytes: Counter,
    /// Bytes moved.
    pub moved_bytes: Counter,
    /// TSC ticks of the calls that were timed.
    pub ticks: Counter,
}

const _: () = assert!(size_of::<Node>() == 64);

impl Node {
    /// Says what the node is, before it is shown to other threads.
    pub fn begin(&self, parent: u32, key: Key, place: Place) {
        self.key.store(key.0, Ordering::Relaxed);
        self.parent.store(parent, Ordering::Relaxed);
        let module = place.module.map_or(0, |module| module.wrapping_add(1));
        self.module.store(module, Ordering::Relaxed);
        self.offset.store(place.offset, Ordering::Relaxed);
    }

    /// Whether the node is this one.
    #[inline(always)]
    pub fn is(&self, parent: u32, key: Key) -> bool {
        self.key.load(Ordering::Relaxed) == key.0 && self.parent() == parent
    }

    /// The number of the node that it goes on from.
    #[inline(always)]
    pub fn parent(&self) -> u32 {
        self.parent.load(Ordering::Relaxed)
    }

    /// What it stands for.
    pub fn key(&self) -> Key {
        Key(self.key.load(Ordering::Relaxed))
    }

    /// Where the code is, of a node that is no leaf.
    pub fn place(&self) -> Place {
        Place {
            module: self.module.load(Ordering::Relaxed).checked_sub(1),
            offset: self.offset.load(Ordering::Relaxed),
        }
    }
}

/// A loaded object whose code is in the stacks.
#[derive(Debug)]
#[repr(C)]
pub struct Module {
    /// Its load bias: addresses less those of its file.
    pub base: AtomicU64,
    build_id_bytes: AtomicU64,
    build_id: [AtomicU8; Module::MOST_BUILD_ID_BYTES],
    /// Path of its file.
    pub path: Text<456>,
}

const _: () = assert!(size_of::<Module>() == 512);

impl Module {
    /// The longest build id that is kept: SHA-1 has 20 bytes, and is what linkers use.
    pub const MOST_BUILD_ID_BYTES: usize = 32;

    /// Sets the build id; nothing where it is too long.
    pub fn set_build_id(&self, id: &[u8]) {
        if id.len() > Self::MOST_BUILD_ID_BYTES {
            return;
        }
        for (place, &byte) in self.build_id.iter().zip(id) {
            place.store(byte, Ordering::Relaxed);
        }
        self.build_id_bytes
            .store(id.len() as u64, Ordering::Relaxed);
    }

    /// The build id; nothing where it has none.
    pub fn build_id(&self) -> impl Iterator<Item = u8> {
        let length = usize::try_from(self.build_id_bytes.load(Ordering::Relaxed))
            .unwrap_or(0)
            .min(Self::MOST_BUILD_ID_BYTES);
        let bytes = self.build_id[..length].iter();
        bytes.map(|byte| byte.load(Ordering::Relaxed))
    }
}

/// Why a stack is not known to its outermost caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Cut {
    /// Code without unwind information: made at run time, or written in assembly without it.
    UnknownCode = 0,
    /// The code's unwind information has a rule that Weir does not follow.
    UnknownRule = 1,
    /// A frame leads to memory that is no stack, or that may not be asked about in a sandbox.
    NotReadable = 2,
    /// There are more frames than Weir follows.
    TooDeep = 3,
    /// There is no room for more nodes.
    NoRoom = 4,
    /// A signal handler interrupted the recording of a stack twice over.
    Interrupted = 5,
    /// The thread has no memory for its stacks, or no slot.
    NoMemory = 6,
    /// The check of every stack by a second way found another one.
    Differs = 7,
}

impl Cut {
    /// All of them.
    pub const ALL: [Cut; Cut::COUNT] = [
        Cut::UnknownCode,
        Cut::UnknownRule,
        Cut::NotReadable,
        Cut::TooDeep,
        Cut::NoRoom,
        Cut::Interrupted,
        Cut::NoMemory,
        Cut::Differs,
    ];

    /// How many there are.
    pub const COUNT: usize = 8;

    /// The reason's name in the report.
    pub const fn name(self) -> &'static str {
        match self {
            Cut::UnknownCode => "unknown_code",
            Cut::UnknownRule => "unknown_rule",
            Cut::NotReadable => "not_readable",
            Cut::TooDeep => "too_deep",
            Cut::NoRoom => "no_room",
            Cut::Interrupted => "interrupted",
            Cut::NoMemory => "no_memory",
            Cut::Differs => "differs",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_is_told_from_an_address() {
        for function in Function::ALL {
            assert_eq!(Key::leaf(function).function(), Some(function));
        }
        let address = Key::address(Function::Malloc.index() as u64);
        assert!(!address.is_leaf());
        assert_eq!(address.function(), None);
        assert_ne!(address.hash(1), address.hash(2));
    }

    #[test]
    fn a_node_tells_what_it_was_begun_with() {
        let layout = std::alloc::Layout::new::<Node>();
        // SAFETY: the size is not zero.
        let place_of_node = unsafe { std::alloc::alloc_zeroed(layout) };
        // SAFETY: zeroed memory of the size and alignment of a node.
        let node = unsafe { &*place_of_node.cast::<Node>() };
        let place = Place {
            module: Some(0),
            offset: 7,
        };
        node.begin(3, Key::address(99), place);
        assert!(node.is(3, Key::address(99)));
        assert!(!node.is(2, Key::address(99)));
        assert_eq!((node.parent(), node.place()), (3, place));
        // SAFETY: allocated with this layout.
        unsafe { std::alloc::dealloc(place_of_node, layout) };
    }
}
