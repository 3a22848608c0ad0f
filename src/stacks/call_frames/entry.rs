//! The entries of unwind information: which code one is about, and where its instructions are.

use std::ops::Range;

use super::reader::{FORMAT, Reader};
use crate::arch::unwinding::RETURN_ADDRESS;

/// What is said of a function.
pub(super) struct Entry {
    pub(super) common: Common,
    /// The function.
    pub(super) code: Range<usize>,
    /// What follows in the entry.
    pub(super) rest: Reader,
}

impl Entry {
    /// The entry at a place. None where it is not about this address.
    pub(super) fn read(at: usize, within: Range<usize>, address: usize) -> Option<Entry> {
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

/// What the entries of a group of functions have in common.
pub(super) struct Common {
    pub(super) code_factor: u64,
    pub(super) data_factor: i64,
    pub(super) pointer_encoding: u8,
    pub(super) has_augmentation: bool,
    pub(super) has_handlers: bool,
    pub(super) is_signal_frame: bool,
    pub(super) instructions: Reader,
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
