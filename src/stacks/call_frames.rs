//! Reads the unwind information that compilers leave in a loaded object: how to get from a return address to the caller.
//!
//! The format is that of `.eh_frame` and `.eh_frame_hdr` (Linux Standard Base, core, chapter 10.6; DWARF 5, section 6.4). Only
//! three registers are followed: the stack pointer, the frame pointer and the return address. Nothing is allocated, and little of
//! the stack is used: the reader may run in a signal handler.

use std::ops::Range;
use std::ptr;

use crate::arch::unwinding::{FRAME_POINTER, RETURN_ADDRESS};

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

/// How deep `DW_CFA_remember_state` may nest; compilers nest it once.
const MOST_REMEMBERED: usize = 4;

// Encodings of pointers (Linux Standard Base, core, 10.5.1).
const OMITTED: u8 = 0xff;
const INDIRECT: u8 = 0x80;
const APPLICATION: u8 = 0x70;
const FROM_HERE: u8 = 0x10;
const FROM_DATA: u8 = 0x30;
const FORMAT: u8 = 0x0f;

/// The search table's entries that are read: pairs of signed 32-bit offsets from the table's start.
const SEARCHABLE: u8 = 0x3b;
/// The size of a pair in bytes.
const PAIR: usize = 8;

/// Memory that is read from the front.
#[derive(Clone, Copy)]
struct Reader {
    at: usize,
    end: usize,
}

impl Reader {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        if self.end.checked_sub(self.at)? < N {
            return None;
        }
        let place = ptr::with_exposed_provenance::<[u8; N]>(self.at);
        self.at += N;
        // SAFETY: within the object's segment, as whoever made the reader has seen to; bytes are aligned.
        Some(unsafe { place.read() })
    }

    fn byte(&mut self) -> Option<u8> {
        self.take::<1>().map(|[byte]| byte)
    }

    fn half(&mut self) -> Option<u16> {
        self.take().map(u16::from_le_bytes)
    }

    fn word(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn long(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    /// A number in LEB128, and by how many bits it was given.
    fn leb(&mut self) -> Option<(u64, u32)> {
        let (mut number, mut shift) = (0_u64, 0);
        loop {
            let byte = self.byte()?;
            if shift < 64 {
                number |= u64::from(byte & 0x7f) << shift;
            }
            shift += 7;
            if byte & 0x80 == 0 {
                // The last byte's second highest bit is the sign; it is kept in what is returned.
                return Some((number, shift));
            }
            if shift > 70 {
                return None;
            }
        }
    }

    fn unsigned(&mut self) -> Option<u64> {
        self.leb().map(|(number, _)| number)
    }

    fn signed(&mut self) -> Option<i64> {
        let (number, bits) = self.leb()?;
        let unused = 64_u32.saturating_sub(bits);
        Some((number << unused).cast_signed() >> unused)
    }

    fn skip(&mut self, bytes: u64) -> Option<()> {
        let bytes = usize::try_from(bytes).ok()?;
        if self.end.checked_sub(self.at)? < bytes {
            return None;
        }
        self.at += bytes;
        Some(())
    }

    /// A pointer in an encoding; `data` is what those relative to data are relative to.
    fn pointer(&mut self, encoding: u8, data: usize) -> Option<usize> {
        let here = self.at;
        let value = match encoding & FORMAT {
            0x00 | 0x04 | 0x0c => self.long()?,
            0x01 => self.unsigned()?,
            0x02 => u64::from(self.half()?),
            0x03 => u64::from(self.word()?),
            0x09 => self.signed()?.cast_unsigned(),
            0x0a => i64::from(self.half()?.cast_signed()).cast_unsigned(),
            0x0b => i64::from(self.word()?.cast_signed()).cast_unsigned(),
            _ => return None,
        } as usize;
        let base = match encoding & APPLICATION {
            0 => 0,
            FROM_HERE => here,
            FROM_DATA => data,
            _ => return None,
        };
        // No compiler has code begin at an address that stands elsewhere.
        (encoding & INDIRECT == 0).then(|| base.wrapping_add(value))
    }

    /// A part of an entry, from here on, of so many bytes.
    fn part(&mut self, bytes: u64) -> Option<Reader> {
        let at = self.at;
        self.skip(bytes)?;
        Some(Reader { at, end: self.at })
    }

    /// The contents of an entry that begins with its length.
    fn entry(&mut self) -> Option<Reader> {
        let length = match self.word()? {
            u32::MAX => self.long()?,
            0 => return None,
            length => u64::from(length),
        };
        self.part(length)
    }
}

/// What the entries of a group of functions have in common.
struct Common {
    code_factor: u64,
    data_factor: i64,
    pointer_encoding: u8,
    has_augmentation: bool,
    has_handlers: bool,
    is_signal_frame: bool,
    instructions: Reader,
}

impl Common {
    fn read(at: usize, end: usize) -> Option<Common> {
        let mut entry = Reader { at, end }.entry()?;
        let (id, version) = (entry.word()?, entry.byte()?);
        if id != 0 || !matches!(version, 1 | 3 | 4) {
            return None;
        }
        let mut augmentation = entry;
        let mut first = None;
        loop {
            match entry.byte()? {
                0 => break,
                letter => _ = first.get_or_insert(letter),
            }
        }
        if version == 4 {
            // Sizes of an address and of a segment's selector.
            entry.half()?;
        }
        let mut common = Common {
            code_factor: entry.unsigned()?,
            data_factor: entry.signed()?,
            pointer_encoding: 0,
            has_augmentation: first == Some(b'z'),
            has_handlers: false,
            is_signal_frame: false,
            instructions: entry,
        };
        let register = match version {
            1 => u64::from(entry.byte()?),
            _ => entry.unsigned()?,
        };
        if register != u64::from(RETURN_ADDRESS) {
            return None;
        }
        if common.has_augmentation {
            let bytes = entry.unsigned()?;
            let mut data = entry.part(bytes)?;
            loop {
                match augmentation.byte()? {
                    0 => break,
                    b'z' | b'B' | b'G' => {}
                    b'R' => common.pointer_encoding = data.byte()?,
                    b'L' => _ = data.byte()?,
                    b'P' => {
                        let encoding = data.byte()?;
                        // Where the personality is does not matter, but how long it is.
                        data.pointer(encoding & FORMAT, 0)?;
                        common.has_handlers = true;
                    }
                    b'S' => common.is_signal_frame = true,
                    _ => return None,
                }
            }
        } else if first.is_some() {
            return None;
        }
        common.instructions = entry;
        Some(common)
    }
}

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

/// What is said of a function.
struct Entry {
    common: Common,
    /// The function.
    code: Range<usize>,
    /// What follows in the entry.
    rest: Reader,
}

impl Entry {
    /// The entry at a place. None where it is not about this address.
    fn read(at: usize, within: Range<usize>, address: usize) -> Option<Entry> {
        let end = within.end;
        let mut entry = Reader { at, end }.entry()?;
        let here = entry.at;
        let back = entry.word()? as usize;
        if back == 0 {
            return None;
        }
        let common = here.checked_sub(back).filter(|at| within.contains(at))?;
        let common = Common::read(common, end)?;
        let begin = entry.pointer(common.pointer_encoding, 0)?;
        let bytes = entry.pointer(common.pointer_encoding & FORMAT, 0)?;
        if address.checked_sub(begin)? >= bytes {
            return None;
        }
        Some(Entry {
            code: begin..begin.checked_add(bytes)?,
            common,
            rest: entry,
        })
    }
}

/// The row for an address, of the entry there.
fn row_of(at: usize, within: Range<usize>, address: usize) -> Option<Row> {
    let found = Entry::read(at, within, address)?;
    let (common, mut entry) = (found.common, found.rest);
    let begin = found.code.start;
    if common.has_augmentation {
        let bytes = entry.unsigned()?;
        entry.skip(bytes)?;
    }
    let mut state = State {
        row: Row {
            is_signal_frame: common.is_signal_frame,
            ..Row::FIRST
        },
        initial: Row::FIRST,
        remembered: [Row::FIRST; MOST_REMEMBERED],
        depth: 0,
        location: begin,
        address,
    };
    state.run(common.instructions, &common)?;
    state.initial = state.row;
    state.run(entry, &common)?;
    Some(state.row)
}

/// The machine that the instructions of an entry are for.
struct State {
    row: Row,
    initial: Row,
    remembered: [Row; MOST_REMEMBERED],
    depth: usize,
    location: usize,
    address: usize,
}

impl State {
    /// Carries out instructions up to the address.
    fn run(&mut self, mut code: Reader, common: &Common) -> Option<()> {
        while code.at < code.end {
            let instruction = code.byte()?;
            let operand = u64::from(instruction & 0x3f);
            match instruction >> 6 {
                1 => {
                    if self.advance(operand, common) {
                        return Some(());
                    }
                    continue;
                }
                2 => {
                    let offset = factored(code.unsigned()?.cast_signed(), common);
                    self.set(operand, offset);
                    continue;
                }
                3 => {
                    self.restore(operand);
                    continue;
                }
                _ => {}
            }
            match instruction {
                // DW_CFA_nop
                0x00 => {}
                // DW_CFA_set_loc
                0x01 => {
                    let location = code.pointer(common.pointer_encoding, 0)?;
                    if location > self.address {
                        return Some(());
                    }
                    self.location = location;
                }
                // DW_CFA_advance_loc1, 2, 4
                0x02..=0x04 => {
                    let by = match instruction {
                        0x02 => u64::from(code.byte()?),
                        0x03 => u64::from(code.half()?),
                        _ => u64::from(code.word()?),
                    };
                    if self.advance(by, common) {
                        return Some(());
                    }
                }
                // DW_CFA_offset_extended, DW_CFA_offset_extended_sf, DW_CFA_GNU_negative_offset_extended
                0x05 | 0x11 | 0x2f => {
                    let register = code.unsigned()?;
                    let offset = match instruction {
                        0x05 => code.unsigned()?.cast_signed(),
                        0x11 => code.signed()?,
                        _ => code.unsigned()?.cast_signed().wrapping_neg(),
                    };
                    self.set(register, factored(offset, common));
                }
                // DW_CFA_restore_extended
                0x06 => {
                    let register = code.unsigned()?;
                    self.restore(register);
                }
                // DW_CFA_undefined, DW_CFA_same_value
                0x07 | 0x08 => {
                    let register = code.unsigned()?;
                    let saved = match instruction {
                        0x07 => Saved::Undefined,
                        _ => Saved::Same,
                    };
                    self.set(register, saved);
                }
                // DW_CFA_register
                0x09 => {
                    let register = code.unsigned()?;
                    code.unsigned()?;
                    self.set(register, Saved::Other);
                }
                // DW_CFA_remember_state
                0x0a => {
                    *self.remembered.get_mut(self.depth)? = self.row;
                    self.depth += 1;
                }
                // DW_CFA_restore_state
                0x0b => {
                    self.depth = self.depth.checked_sub(1)?;
                    self.row = *self.remembered.get(self.depth)?;
                }
                // DW_CFA_def_cfa, DW_CFA_def_cfa_sf
                0x0c | 0x12 => {
                    let register = code.unsigned()?;
                    let offset = match instruction {
                        0x0c => code.unsigned()?.cast_signed(),
                        _ => code.signed()?.wrapping_mul(common.data_factor),
                    };
                    self.row.cfa = cfa(register, offset);
                }
                // DW_CFA_def_cfa_register
                0x0d => {
                    let register = code.unsigned()?;
                    self.row.cfa = match self.row.cfa {
                        Cfa::Register(_, offset) => cfa(register, offset.into()),
                        _ => Cfa::Other,
                    };
                }
                // DW_CFA_def_cfa_offset, DW_CFA_def_cfa_offset_sf
                0x0e | 0x13 => {
                    let offset = match instruction {
                        0x0e => code.unsigned()?.cast_signed(),
                        _ => code.signed()?.wrapping_mul(common.data_factor),
                    };
                    self.row.cfa = match self.row.cfa {
                        Cfa::Register(register, _) => cfa(register.into(), offset),
                        _ => Cfa::Other,
                    };
                }
                // DW_CFA_def_cfa_expression
                0x0f => {
                    let bytes = code.unsigned()?;
                    self.row.cfa = match address_of(code.part(bytes)?) {
                        Some((register, offset, false)) => Cfa::Register(register, offset),
                        Some((register, offset, true)) => Cfa::Word(register, offset),
                        None => Cfa::Other,
                    };
                }
                // DW_CFA_expression
                0x10 => {
                    let (register, bytes) = (code.unsigned()?, code.unsigned()?);
                    let saved = match address_of(code.part(bytes)?) {
                        Some((register, offset, false)) => Saved::At(register, offset),
                        _ => Saved::Other,
                    };
                    self.set(register, saved);
                }
                // DW_CFA_val_offset, DW_CFA_val_offset_sf
                0x14 | 0x15 => {
                    let register = code.unsigned()?;
                    code.leb()?;
                    self.set(register, Saved::Other);
                }
                // DW_CFA_val_expression
                0x16 => {
                    let (register, bytes) = (code.unsigned()?, code.unsigned()?);
                    code.skip(bytes)?;
                    self.set(register, Saved::Other);
                }
                // DW_CFA_AARCH64_negate_ra_state: the address carries a signature, which is taken off as it is read.
                0x2d => {}
                // DW_CFA_GNU_args_size
                0x2e => _ = code.unsigned()?,
                _ => return None,
            }
        }
        Some(())
    }

    /// The instructions that follow are for later addresses. Whether that is past the one that is asked for.
    fn advance(&mut self, by: u64, common: &Common) -> bool {
        let by = by.wrapping_mul(common.code_factor) as usize;
        self.location = self.location.wrapping_add(by);
        self.location > self.address
    }

    fn set(&mut self, register: u64, saved: Saved) {
        if register == u64::from(FRAME_POINTER) {
            self.row.frame_pointer = saved;
        } else if register == u64::from(RETURN_ADDRESS) {
            self.row.return_address = saved;
        }
    }

    fn restore(&mut self, register: u64) {
        if register == u64::from(FRAME_POINTER) {
            self.row.frame_pointer = self.initial.frame_pointer;
        } else if register == u64::from(RETURN_ADDRESS) {
            self.row.return_address = self.initial.return_address;
        }
    }
}

fn factored(offset: i64, common: &Common) -> Saved {
    match i32::try_from(offset.wrapping_mul(common.data_factor)) {
        Ok(offset) => Saved::AtCfa(offset),
        Err(_) => Saved::Other,
    }
}

fn cfa(register: u64, offset: i64) -> Cfa {
    match (u8::try_from(register), i32::try_from(offset)) {
        (Ok(register), Ok(offset)) => Cfa::Register(register, offset),
        _ => Cfa::Other,
    }
}

/// An expression that is a register and an offset (`DW_OP_breg`), and whether the word there is meant (`DW_OP_deref`).
fn address_of(mut expression: Reader) -> Option<(u8, i32, bool)> {
    const BREG: u8 = 0x70;
    const BREG_LAST: u8 = 0x8f;
    const DEREF: u8 = 0x06;
    let register = match expression.byte()? {
        code @ BREG..=BREG_LAST => code - BREG,
        _ => return None,
    };
    let offset = i32::try_from(expression.signed()?).ok()?;
    let is_word = match expression.byte() {
        None => false,
        Some(DEREF) => true,
        Some(_) => return None,
    };
    (expression.at == expression.end).then_some((register, offset, is_word))
}

#[cfg(test)]
mod tests;
