//! What a node stands for, in one word.

use super::makes_blocks;
use crate::functions::Function;

/// What a node stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(pub(super) u64);

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

    /// Such calls. It has [`Blocks`](super::Blocks) where the function [makes blocks](makes_blocks), and else [`Calls`](super::Calls).
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

    /// Whether it is that of a leaf with [`Blocks`](super::Blocks).
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

/// Counters of a site that makes blocks, in a node beside its leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group(pub(super) u16);

impl Group {
    /// What is seldom counted: errors and time. The node has [`Calls`](super::Calls).
    pub const SELDOM: Group = Group(0);
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_is_distinguished_from_an_address() {
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
}
