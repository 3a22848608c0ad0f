//! What is recorded of call stacks: a trie of return addresses, and counters at its leaves.
//!
//! A node is an edge of the trie: from the callers (its parent) to a return address. A leaf is a call of an interposed function
//! from there, and has the counters of such calls: those of one thread, so that it adds without locked instructions, or of all
//! threads that have no leaf of their own. Node 0 is the root: no caller is known.

mod interpreted;
pub mod lifetimes;

use std::ptr;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

use crate::counter::{Adder, Counter};
use crate::functions::{Family, Function, Role};
use crate::text::Text;

pub use interpreted::{InterpretedCode, Line};

/// What a node stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(u64);

/// What was called: a function, and the file that the call is about, where that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Called(u32);

impl Called {
    const FILE_SHIFT: u32 = 16;

    /// A function.
    #[inline(always)]
    pub const fn of(function: Function) -> Called {
        Called(function.index() as u32)
    }

    /// A function, for the file that has this entry; 0 is none.
    #[inline(always)]
    pub const fn about(function: Function, file: u16) -> Called {
        Called((file as u32) << Self::FILE_SHIFT | function.index() as u32)
    }

    /// A number of its own.
    #[inline(always)]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The function.
    pub fn function(self) -> Option<Function> {
        Function::from_index(self.function_bits() as usize)
    }

    /// The number of the function.
    #[inline(always)]
    pub const fn function_bits(self) -> u32 {
        self.0 & ((1 << Self::FILE_SHIFT) - 1)
    }
}

/// Whose a leaf is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeafOwner(u16);

impl LeafOwner {
    /// No thread alone: its counters are added to by locked instructions.
    pub const SHARED: LeafOwner = LeafOwner(0);

    /// The thread that has a slot, by its place among the slots plus one; 0 is nobody's.
    #[inline(always)]
    pub(crate) const fn of_number(number: u32) -> LeafOwner {
        LeafOwner(number as u16)
    }

    /// Whether that is the first slot: the main thread, in most programs.
    pub const fn is_first(self) -> bool {
        self.0 == 1
    }

    /// Whether several threads may add to it at once.
    #[inline(always)]
    pub const fn is_shared(self) -> bool {
        self.0 == 0
    }
}

impl Key {
    /// Set in the key of a leaf; no address of a program has it.
    const LEAF: u64 = 1 << 63;
    /// Set in the key of a node with further counters of a leaf with blocks.
    const BESIDE: u64 = 1 << 62;
    /// Set in the key of a frame of interpreted code; no address of a program has it, as it does not have the others.
    const INTERPRETED: u64 = 1 << 61;
    /// Set in the key of a node that joins two stacks.
    const JOINED: u64 = 1 << 60;
    const MARKS: u64 = Self::LEAF | Self::BESIDE | Self::INTERPRETED | Self::JOINED;
    /// Set in the key of a frame of interpreted code that the interpreter began with: the frame before it is of another run of it.
    const BEGINS: u64 = 1 << 59;
    const CODE_SHIFT: u32 = 32;
    const OWNER_SHIFT: u32 = 16;
    const FILE_SHIFT: u32 = 32;
    const FILE: u64 = (u16::MAX as u64) << Self::FILE_SHIFT;

    /// A return address.
    pub const fn address(address: u64) -> Key {
        Key(address & !Self::MARKS)
    }

    /// A frame of interpreted code: an instruction of the function that has this entry. `begins` says that the interpreter was called
    /// for it.
    pub const fn interpreted(code: u16, instruction: u32, begins: bool) -> Key {
        let begins = if begins { Self::BEGINS } else { 0 };
        Key(Self::INTERPRETED | begins | (code as u64) << Self::CODE_SHIFT | instruction as u64)
    }

    /// The stack of interpreted code that ends with this node, beside the one that the interpreter is in, which ends with the parent.
    #[inline(always)]
    pub const fn joined(interpreted: u32) -> Key {
        Key(Self::JOINED | interpreted as u64)
    }

    /// Of a frame of interpreted code, whether the interpreter was called for it; none of other nodes.
    pub const fn begins(self) -> Option<bool> {
        match self.0 & (Self::LEAF | Self::INTERPRETED) {
            Self::INTERPRETED => Some(self.0 & Self::BEGINS != 0),
            _ => None,
        }
    }

    /// The last node of the stack of interpreted code, of a node that joins one.
    pub const fn joined_node(self) -> Option<u32> {
        match self.0 & Self::MARKS {
            Self::JOINED => Some(self.0 as u32),
            _ => None,
        }
    }

    /// Such calls. It has [`Blocks`] where the function [makes blocks](makes_blocks), and else [`Calls`].
    #[inline(always)]
    pub const fn leaf(called: Called, owner: LeafOwner) -> Key {
        let file = (called.0 >> Called::FILE_SHIFT) as u64;
        Key(Self::LEAF
            | file << Self::FILE_SHIFT
            | (owner.0 as u64) << Self::OWNER_SHIFT
            | called.function_bits() as u64)
    }

    /// Of a function that makes blocks, a group of counters beside the leaf's own.
    pub const fn beside(function: Function, owner: LeafOwner, group: Group) -> Key {
        let leaf = Self::leaf(Called::about(function, group.0), owner);
        Key(leaf.0 | Self::BESIDE)
    }

    /// Which counters, of a node beside a leaf.
    pub const fn group(self) -> Option<Group> {
        match self.0 & (Self::LEAF | Self::BESIDE) == Self::LEAF | Self::BESIDE {
            true => Some(Group((self.0 >> Self::FILE_SHIFT) as u16)),
            false => None,
        }
    }

    /// The function, of a leaf.
    pub fn function(self) -> Option<Function> {
        let index = (self.0 & ((1 << Self::OWNER_SHIFT) - 1)) as usize;
        Function::from_index(index).filter(|_| self.is_leaf())
    }

    /// The entry of the file that the calls are about, of a leaf; none where that is not known.
    pub const fn file(self) -> Option<usize> {
        match (self.0 & Self::FILE) >> Self::FILE_SHIFT {
            file if self.is_leaf() && self.0 & Self::BESIDE == 0 && file != 0 => {
                Some(file as usize)
            }
            _ => None,
        }
    }

    /// The same leaf for calls about any file.
    pub const fn of_any_file(self) -> Key {
        Key(self.0 & !Self::FILE)
    }

    /// Whose it is, of a leaf.
    #[inline(always)]
    pub const fn owner(self) -> LeafOwner {
        LeafOwner((self.0 >> Self::OWNER_SHIFT) as u16)
    }

    /// The same leaf of another owner.
    pub const fn of_owner(self, owner: LeafOwner) -> Key {
        let others = self.0 & !((u16::MAX as u64) << Self::OWNER_SHIFT);
        Key(others | (owner.0 as u64) << Self::OWNER_SHIFT)
    }

    /// Whether it is that of a leaf.
    #[inline(always)]
    pub const fn is_leaf(self) -> bool {
        self.0 & Self::LEAF != 0
    }

    /// Whether it is that of a leaf with [`Blocks`].
    #[inline(always)]
    pub fn has_blocks(self) -> bool {
        self.0 & Self::BESIDE == 0 && self.function().is_some_and(makes_blocks)
    }

    /// A number that differs between most keys and parents.
    #[inline(always)]
    pub const fn hash(self, parent: u32) -> u64 {
        let mixed =
            (self.0 ^ ((parent as u64) << 40 | parent as u64)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^ mixed >> 29
    }
}

/// Counters of a site that makes blocks, in a node beside its leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group(u16);

impl Group {
    /// What is seldom counted: errors and time. The node has [`Calls`].
    pub const SELDOM: Group = Group(0);
}

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

/// Where the code is that a return address leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The number of the module; none for code that is in no loaded object.
    pub module: Option<u32>,
    /// The return address, less the module's load bias: as the module's file has it.
    pub offset: u64,
    /// Whether it is in an interpreter's loop, which runs the code of [other frames](Key::interpreted).
    pub is_interpreter: bool,
}

/// The counters of calls.
#[derive(Debug)]
#[repr(C)]
pub struct Calls {
    /// Calls.
    pub calls: Counter,
    /// Bytes asked for.
    pub requested_bytes: Counter,
    /// Calls that failed.
    pub errors: Counter,
    /// Bytes moved.
    pub moved_bytes: Counter,
    /// TSC ticks of the calls that were timed.
    pub ticks: Counter,
    _unused: Counter,
}

/// The counters of calls that make blocks of the heap.
///
/// A thread that frees a block takes it from a leaf of its own, so what is live in one may be below zero: the sum over all
/// owners counts.
#[derive(Debug)]
#[repr(C)]
pub struct Blocks {
    /// Calls.
    pub calls: Counter,
    /// Bytes asked for.
    pub requested_bytes: Counter,
    /// Blocks that were made less those that were freed.
    live_blocks: Counter,
    /// Their bytes, by what they really take.
    live_bytes: Counter,
    /// Blocks that their thread freed before it made another.
    pub temporary: Counter,
    /// What `live_bytes` was at the peak that the node names.
    live_bytes_at_peak: Counter,
}

/// A node of the trie; one cache line.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Node {
    key: AtomicU64,
    parent: AtomicU32,
    /// Of a frame, the number of the module plus one; 0 is none. Of blocks, the number of the last peak since which their live
    /// bytes have changed.
    number: AtomicU32,
    /// Of a frame, its offset, and whether it is an interpreter's; of a leaf, its counters.
    words: [Counter; 6],
}

const _: () = assert!(size_of::<Node>() == 64);
const _: () = assert!(size_of::<Calls>() == size_of::<[Counter; 6]>());
const _: () = assert!(size_of::<Blocks>() == size_of::<[Counter; 6]>());

/// In the second word of a frame: it is an interpreter's.
const INTERPRETER: u64 = 1;
/// It is, or one of its callers' frames.
const IN_INTERPRETER: u64 = 2;

impl Node {
    /// Says what the node is, before it is shown to other threads.
    ///
    /// `is_in_interpreter` says whether a caller's frame is an interpreter's.
    pub fn begin(&self, parent: u32, key: Key, place: Place, is_in_interpreter: bool) {
        self.key.store(key.0, Ordering::Relaxed);
        self.parent.store(parent, Ordering::Relaxed);
        if !key.is_leaf() {
            let module = place.module.map_or(0, |module| module.wrapping_add(1));
            self.number.store(module, Ordering::Relaxed);
            self.words[0].set(place.offset);
            let is_interpreter = u64::from(place.is_interpreter);
            let is_in_one = u64::from(is_in_interpreter | place.is_interpreter);
            self.words[1].set((is_interpreter * INTERPRETER) | (is_in_one * IN_INTERPRETER));
        }
    }

    /// Says that the node is a frame of interpreted code, before it is shown to other threads.
    pub fn begin_interpreted(&self, parent: u32, key: Key, line: Line) {
        self.key.store(key.0, Ordering::Relaxed);
        self.parent.store(parent, Ordering::Relaxed);
        self.number.store(u32::from(line.code), Ordering::Relaxed);
        self.words[0].set(u64::from(line.line));
    }

    /// Whether a frame is an interpreter's, or one of its callers' is.
    #[inline(always)]
    pub fn is_in_interpreter(&self) -> bool {
        self.words[1].get() & IN_INTERPRETER != 0
    }

    /// Which line it is, of a frame of interpreted code.
    pub fn line(&self) -> Line {
        Line {
            code: self.number.load(Ordering::Relaxed) as u16,
            line: self.words[0].get() as u32,
        }
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
    #[inline(always)]
    pub fn key(&self) -> Key {
        Key(self.key.load(Ordering::Relaxed))
    }

    /// Where the code is, of a node that is no leaf.
    pub fn place(&self) -> Place {
        Place {
            module: self.number.load(Ordering::Relaxed).checked_sub(1),
            offset: self.words[0].get(),
            is_interpreter: self.words[1].get() & INTERPRETER != 0,
        }
    }

    /// The counters of a leaf without blocks.
    #[inline(always)]
    pub fn calls(&self) -> &Calls {
        // SAFETY: `Calls` is as large as the words, and made of counters, too.
        unsafe { &*ptr::from_ref(&self.words).cast() }
    }

    /// The counters of a leaf, or of a node beside one, by number.
    #[inline(always)]
    pub fn numbered(&self) -> &[Counter; 6] {
        &self.words
    }

    /// Whether anything was counted at a leaf, or at a node beside one.
    pub fn is_counted(&self) -> bool {
        self.key().is_leaf() && self.words.iter().any(|counter| counter.get() != 0)
    }

    /// The counters of a leaf with blocks.
    #[inline(always)]
    pub fn blocks(&self) -> &Blocks {
        // SAFETY: `Blocks` is as large as the words, and made of counters, too.
        unsafe { &*ptr::from_ref(&self.words).cast() }
    }

    /// Adds to the blocks of a leaf that are live, wrapping. `peak` is the number of the last peak of the heap: before the first
    /// change after it, what is live is kept.
    #[inline(always)]
    pub fn shift_live<A: Adder>(&self, peak: u32, blocks: u64, bytes: u64) {
        if self.number.load(Ordering::Relaxed) != peak {
            self.keep_peak(peak);
        }
        A::add(&self.blocks().live_blocks, blocks);
        A::add(&self.blocks().live_bytes, bytes);
    }

    #[cold]
    #[inline(never)]
    fn keep_peak(&self, peak: u32) {
        let seen = self.number.load(Ordering::Relaxed);
        let live = self.blocks().live_bytes.get();
        // A handler, or another thread, that comes in between keeps what it finds, and that is right.
        let first = self
            .number
            .compare_exchange(seen, peak, Ordering::Relaxed, Ordering::Relaxed);
        if first.is_ok() {
            self.blocks().live_bytes_at_peak.set(live);
        }
    }

    /// The blocks of a leaf that are live, and their bytes.
    pub fn live(&self) -> (i64, i64) {
        let blocks = self.blocks();
        (
            blocks.live_blocks.get_signed(),
            blocks.live_bytes.get_signed(),
        )
    }

    /// The bytes of a leaf that were live at the peak of this number.
    pub fn live_bytes_at_peak(&self, peak: u32) -> i64 {
        let blocks = self.blocks();
        let has_changed = self.number.load(Ordering::Relaxed) == peak;
        match has_changed {
            true => blocks.live_bytes_at_peak.get_signed(),
            false => blocks.live_bytes.get_signed(),
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
    /// The thread has no memory for its stacks, or no slot, or shares its thread-local storage with another thread.
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

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::counter::{Alone, Shared};

    #[test]
    fn a_leaf_is_told_from_an_address() {
        let owners = [
            LeafOwner::SHARED,
            LeafOwner::of_number(1),
            LeafOwner::of_number(1024),
        ];
        for function in Function::ALL {
            for owner in owners {
                for key in [
                    Key::leaf(Called::of(function), owner),
                    Key::beside(function, owner, Group::SELDOM),
                    Key::beside(function, owner, Group(7)),
                ] {
                    assert_eq!((key.function(), key.owner()), (Some(function), owner));
                    let shared = key.of_owner(LeafOwner::SHARED);
                    assert_eq!(shared.function(), Some(function));
                    assert!(shared.owner().is_shared() && shared.of_owner(owner) == key);
                    assert_eq!(key.file(), None);
                }
                let of_file = Key::leaf(Called::about(function, u16::MAX), owner);
                assert_eq!(
                    (of_file.function(), of_file.owner()),
                    (Some(function), owner)
                );
                assert_eq!(of_file.file(), Some(usize::from(u16::MAX)));
                assert_eq!(
                    of_file.of_any_file(),
                    Key::leaf(Called::of(function), owner)
                );
                for group in [Group::SELDOM, Group(7)] {
                    let beside = Key::beside(function, owner, group);
                    assert!(!beside.has_blocks());
                    assert_eq!(beside.group(), Some(group));
                }
                assert_eq!(of_file.group(), None);
            }
        }
        assert!(Key::leaf(Called::of(Function::Realloc), LeafOwner::of_number(6)).has_blocks());
        for without in [Function::Free, Function::Read, Function::MallocUsableSize] {
            assert!(!Key::leaf(Called::of(without), LeafOwner::SHARED).has_blocks());
        }
        let address = Key::address(Function::Malloc.index() as u64);
        assert!(!address.is_leaf());
        assert_eq!(address.function(), None);
        assert_ne!(address.hash(1), address.hash(2));
    }

    /// A node at its beginning.
    fn zeroed() -> Box<Node> {
        // SAFETY: a node is made of atomics, for which zeroes are valid.
        unsafe { Box::<Node>::new_zeroed().assume_init() }
    }

    #[test]
    fn what_was_live_at_a_peak_stays_known() {
        let node = zeroed();
        node.begin(
            1,
            Key::leaf(Called::of(Function::Malloc), LeafOwner::of_number(1)),
            NOWHERE,
            false,
        );
        node.shift_live::<Alone>(0, 1, 100);
        assert_eq!(node.live(), (1, 100));
        // Unchanged since the peak.
        assert_eq!(node.live_bytes_at_peak(1), 100);
        node.shift_live::<Alone>(1, 1, 50);
        node.shift_live::<Shared>(1, 2_u64.wrapping_neg(), 150_u64.wrapping_neg());
        assert_eq!((node.live(), node.live_bytes_at_peak(1)), ((0, 0), 100));
        // A second peak, at which nothing of it was live.
        assert_eq!(node.live_bytes_at_peak(2), 0);
        node.shift_live::<Alone>(2, 1, 8);
        assert_eq!(node.live_bytes_at_peak(2), 0);
        // More was freed than made, by a thread that frees for another.
        node.shift_live::<Alone>(2, 2_u64.wrapping_neg(), 20_u64.wrapping_neg());
        assert_eq!(node.live(), (-1, -12));
    }

    const NOWHERE: Place = Place {
        module: None,
        offset: 0,
        is_interpreter: false,
    };

    #[test]
    fn a_node_tells_what_it_was_begun_with() {
        let node = zeroed();
        let place = Place {
            module: Some(0),
            offset: 7,
            is_interpreter: false,
        };
        node.begin(3, Key::address(99), place, true);
        assert!(node.is_in_interpreter());
        assert!(node.is(3, Key::address(99)));
        assert!(!node.is(2, Key::address(99)));
        assert_eq!((node.parent(), node.place()), (3, place));
    }
}
