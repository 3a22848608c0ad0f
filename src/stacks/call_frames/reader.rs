//! Reads numbers and pointers of unwind information from memory, in the encodings that these have there.

use std::ptr;

// Encodings of pointers (Linux Standard Base, core, 10.5.1).
pub(super) const OMITTED: u8 = 0xff;
const INDIRECT: u8 = 0x80;
const APPLICATION: u8 = 0x70;
const FROM_HERE: u8 = 0x10;
const FROM_DATA: u8 = 0x30;
pub(super) const FORMAT: u8 = 0x0f;

/// Memory that is read from the front.
#[derive(Clone, Copy)]
pub(super) struct Reader {
    pub(super) at: usize,
    pub(super) end: usize,
}

impl Reader {
    pub(super) fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        if self.end.checked_sub(self.at)? < N {
            return None;
        }
        let place = ptr::with_exposed_provenance::<[u8; N]>(self.at);
        self.at += N;
        // SAFETY: within the object's segment, as whoever made the reader has seen to; bytes are aligned.
        Some(unsafe { place.read() })
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.take::<1>().map(|[byte]| byte)
    }

    pub(super) fn half(&mut self) -> Option<u16> {
        self.take().map(u16::from_le_bytes)
    }

    pub(super) fn word(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn long(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    /// A number in LEB128, and by how many bits it was given.
    pub(super) fn leb(&mut self) -> Option<(u64, u32)> {
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

    pub(super) fn unsigned(&mut self) -> Option<u64> {
        self.leb().map(|(number, _)| number)
    }

    pub(super) fn signed(&mut self) -> Option<i64> {
        let (number, bits) = self.leb()?;
        let unused = 64_u32.saturating_sub(bits);
        Some((number << unused).cast_signed() >> unused)
    }

    pub(super) fn skip(&mut self, bytes: u64) -> Option<()> {
        let bytes = usize::try_from(bytes).ok()?;
        if self.end.checked_sub(self.at)? < bytes {
            return None;
        }
        self.at += bytes;
        Some(())
    }

    /// A pointer in an encoding; `data` is what those relative to data are relative to.
    pub(super) fn pointer(&mut self, encoding: u8, data: usize) -> Option<usize> {
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
    pub(super) fn part(&mut self, bytes: u64) -> Option<Reader> {
        let at = self.at;
        self.skip(bytes)?;
        Some(Reader { at, end: self.at })
    }

    /// The contents of an entry that begins with its length.
    pub(super) fn entry(&mut self) -> Option<Reader> {
        let length = match self.word()? {
            u32::MAX => self.long()?,
            0 => return None,
            length => u64::from(length),
        };
        self.part(length)
    }
}
