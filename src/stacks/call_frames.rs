//! Reads the unwind information that compilers leave in a loaded object: how to get from a return address to the caller.
//!
//! The format is that of `.eh_frame` and `.eh_frame_hdr` (Linux Standard Base, core, chapter 10.6; DWARF 5, section 6.4). Only
//! three registers are followed: the stack pointer, the frame pointer and the return address. Nothing is allocated, and little of
//! the stack is used: the reader may run in a signal handler.
//!
//! ```text
//! instructions   carries out the instructions of an entry
//! entry          the entries
//! reader         numbers and pointers, as they are encoded
//! ```

mod entry;
mod instructions;
mod reader;

use std::ops::Range;

use crate::arch::unwinding::FRAME_POINTER;

use entry::Entry;
use instructions::row_of;
use reader::{OMITTED, Reader};

/// Where the canonical frame address (CFA) is: the caller's stack pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cfa {
    /// A register and an offset.
    Register(u8, i32),
    /// The word that a register and an offset lead to.
    Word(u8, i32),
    /// Something else.
    Other,
}

/// What a register was in the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saved {
    /// What it is.
    Same,
    /// It cannot be known; for the return address: there is no caller.
    Undefined,
    /// The word at an offset from the CFA.
    AtCfa(i32),
    /// The word that a register and an offset lead to.
    At(u8, i32),
    /// Something else.
    Other,
}

/// How to get to the caller, at one instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The caller's stack pointer.
    pub cfa: Cfa,
    /// The caller's frame pointer.
    pub frame_pointer: Saved,
    /// The return address.
    pub return_address: Saved,
    /// Whether the frame is one by which the kernel calls a signal handler.
    pub is_signal_frame: bool,
}

impl Row {
    /// Of code that keeps a frame pointer, which leads to that of the caller and the return address behind it: on all architectures
    /// alike.
    pub const BY_FRAME_POINTER: Row = Row {
        cfa: Cfa::Register(FRAME_POINTER, 16),
        frame_pointer: Saved::AtCfa(-16),
        return_address: Saved::AtCfa(-8),
        is_signal_frame: false,
    };

    const FIRST: Row = Row {
        cfa: Cfa::Other,
        frame_pointer: Saved::Same,
        return_address: Saved::Same,
        is_signal_frame: false,
    };
}

/// The search table's entries that are read: pairs of signed 32-bit offsets from the table's start.
const SEARCHABLE: u8 = 0x3b;
/// The size of a pair in bytes.
const PAIR: usize = 8;

/// The unwind information of a loaded object.
#[derive(Clone, Copy)]
pub struct UnwindTable {
    /// Where its search table begins (`PT_GNU_EH_FRAME`).
    pub header: usize,
    /// Where the segment begins that holds the table and the entries.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
}

/// What unwind information says of a function, or of a part of one.
pub struct FunctionPart {
    /// Where its code begins and ends.
    pub code: Range<usize>,
    /// Whether it has handlers of exceptions, or destructors: what an unwinder does there depends on the place.
    pub has_handlers: bool,
}

impl UnwindTable {
    /// How to get to the caller from an instruction at this address; none where nothing is said of it.
    ///
    /// # Safety
    /// The object stays loaded meanwhile, and can be read from `start` to `end`. Nothing else is read, whatever stands there.
    pub unsafe fn row(&self, address: usize) -> Option<Row> {
        let (at, end) = self.entry_of(address)?;
        row_of(at, self.start..end, address)
    }

    /// The function, or the part of one, that is at this address; none where nothing is said of it.
    ///
    /// # Safety
    /// As for [`UnwindTable::row`].
    pub unsafe fn function(&self, address: usize) -> Option<FunctionPart> {
        let (at, end) = self.entry_of(address)?;
        let entry = Entry::read(at, self.start..end, address)?;
        Some(FunctionPart {
            code: entry.code,
            has_handlers: entry.common.has_handlers,
        })
    }

    /// Whether what it says of an address can be found. If not, others may still find it.
    pub fn is_searchable(&self) -> bool {
        self.search_table().is_some()
    }

    /// Where the entries begin, where the table of pairs begins by which they are searched, and how many pairs that has.
    fn search_table(&self) -> Option<(usize, usize, usize)> {
        let mut head = Reader {
            at: self.header,
            end: self.end,
        };
        let [version, to_entries, to_count, of_table] = head.take()?;
        if version != 1 || of_table != SEARCHABLE || to_entries == OMITTED || to_count == OMITTED {
            return None;
        }
        let entries = head.pointer(to_entries, self.header)?;
        let count = head.pointer(to_count, self.header)?;
        let table = head.at;
        (count <= (self.end.checked_sub(table)?) / PAIR).then_some((entries, table, count))
    }

    /// Where the entry is that may be about an address, and where what holds it ends.
    fn entry_of(&self, address: usize) -> Option<(usize, usize)> {
        let (entries, table, count) = self.search_table()?;
        let pair = |index: usize| -> Option<(usize, usize)> {
            let mut pair = Reader {
                at: table + index * PAIR,
                end: self.end,
            };
            let from_here = |offset: u32| {
                self.header
                    .wrapping_add(offset.cast_signed() as isize as usize)
            };
            Some((from_here(pair.word()?), from_here(pair.word()?)))
        };
        // The last entry that begins no later.
        let (mut from, mut to) = (0, count);
        while from < to {
            let middle = usize::midpoint(from, to);
            if pair(middle)?.0 <= address {
                from = middle + 1;
            } else {
                to = middle;
            }
        }
        let (_, at) = pair(from.checked_sub(1)?)?;
        // Linkers put the entries into the same segment, on either side of the table.
        let end = if at < self.header && entries < self.header {
            self.header
        } else {
            self.end
        };
        (at >= self.start && at < end).then_some((at, end))
    }
}

#[cfg(test)]
mod tests;
