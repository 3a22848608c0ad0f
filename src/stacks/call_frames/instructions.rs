//! Carries out the instructions of an entry, which say how to get to the caller from each place of its code.

use std::ops::Range;

use super::entry::{Common, Entry};
use super::reader::Reader;
use super::{Cfa, Row, Saved};
use crate::arch::unwinding::{FRAME_POINTER, RETURN_ADDRESS};

/// How deep `DW_CFA_remember_state` may nest; compilers nest it once.
const MOST_REMEMBERED: usize = 4;

/// The row for an address, of the entry there.
pub(super) fn row_of(at: usize, within: Range<usize>, address: usize) -> Option<Row> {
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
