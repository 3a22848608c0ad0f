//! Functions of Python: their entries in the region, and the lines of their instructions.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::layout::{self, Field};
use super::memory::Memory;
use crate::process::{self, copied};
use crate::region::mapping;
use crate::stacks::versioned::Versioned;
use crate::sys::Turn;

/// What a code object says of itself. Another function's, at the same address later, differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    at: usize,
    file: usize,
    name: usize,
    lines: usize,
    first_line: u32,
}

/// Entries that were found not long ago, by the address of the code object: five words of it, and the entry's number.
static KNOWN: [Versioned<6>; 4096] = [const { Versioned::new() }; 4096];
/// How many entries of the region have their memory.
static MADE: AtomicUsize = AtomicUsize::new(0);
/// One thread adds at a time.
static ADDING: Turn = Turn::new();

/// The most bytes of a path, and of a name, that are kept.
const FILE_BYTES: usize = 312;
const NAME_BYTES: usize = 168;

/// A new region: it has no entry yet. Signals are blocked, and no other thread takes stacks.
pub fn begin() {
    ADDING.forget();
    MADE.store(0, Ordering::Relaxed);
    for known in &KNOWN {
        if known.get().is_none_or(|[at, ..]| at != 0) {
            known.set([0; 6]);
        }
    }
}

impl Code {
    /// The code object at an address; none if there is no object of this type.
    pub fn at(at: usize, code_type: usize, memory: &mut Memory) -> Option<Code> {
        const TYPE: usize = 8; // PyObject: the type, behind the count of references
        if memory.word(at + TYPE)? != code_type {
            return None;
        }
        let mut word = |field| memory.word(at + layout::of(field));
        let [file, name, lines] = [word(Field::File)?, word(Field::Name)?, word(Field::Lines)?];
        Some(Code {
            at,
            file,
            name,
            lines,
            first_line: memory.half(at + layout::of(Field::FirstLine))?,
        })
    }

    fn place(&self) -> &'static Versioned<6> {
        let hash = (self.at as u64 >> 4).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48;
        &KNOWN[hash as usize % KNOWN.len()]
    }

    /// The number of the function's entry, if it was found not long ago.
    #[inline(always)]
    pub fn known(&self) -> Option<u16> {
        let [at, file, name, lines, first_line, entry] = self.place().get()?;
        let known = Code {
            at,
            file,
            name,
            lines,
            first_line: first_line as u32,
        };
        (known == *self).then_some(entry as u16)
    }

    /// The number of the function's entry, which is made if it is not there. None where there is no room, or nothing can be read. Signals
    /// are blocked.
    #[inline(never)]
    pub fn entry(&self, text_type: usize, memory: &mut Memory) -> Option<u16> {
        let (mut file, mut name) = ([0; FILE_BYTES], [0; NAME_BYTES]);
        let file = text(self.file, text_type, memory, &mut file)?;
        let name = text(self.name, text_type, memory, &mut name)?;
        ADDING.with(|| {
            let entry = add(file, name, self.first_line)?;
            let Code {
                at,
                file,
                name,
                lines,
                first_line,
            } = *self;
            let words = [at, file, name, lines, first_line as usize, entry.into()];
            self.place().set(words);
            Some(entry)
        })
    }

    /// The line of an instruction, by the table of lines (Objects/locations.md of CPython's source). 0 where it is not known.
    pub fn line(&self, instruction: u32, memory: &mut Memory) -> u32 {
        Lines::of(self, memory)
            .and_then(|lines| lines.line_of(instruction, self.first_line))
            .unwrap_or(0)
    }
}

/// Finds the entry of a function, or makes it. For whoever is alone at work.
fn add(file: &[u8], name: &[u8], first_line: u32) -> Option<u16> {
    let region = process::mapped_region()?;
    let header = region.header;
    // A child that no hook has seen yet adds nothing to its parent's region.
    if copied::is_copy() == Some(true) {
        return None;
    }
    let mut entries = region.interpreted().iter();
    if let Some(known) = entries.position(|entry| entry.is(file, name, first_line)) {
        return u16::try_from(known).ok();
    }
    let used = header.interpreted_used();
    if used >= MADE.load(Ordering::Relaxed) {
        let more = mapping::make_interpreted(used)?;
        MADE.store(used + more, Ordering::Relaxed);
    }
    let entry = region.all_interpreted().get(used)?;
    entry.begin(file, name, first_line);
    header.use_interpreted(used + 1);
    u16::try_from(used).ok()
}

/// The text of a `str` in UTF-8, cut to fit.
fn text<'b>(
    at: usize,
    text_type: usize,
    memory: &mut Memory,
    into: &'b mut [u8],
) -> Option<&'b [u8]> {
    const TYPE: usize = 8;
    const LENGTH: usize = 16;
    // Bit fields: two bits of interning, three of the width, then whether the text follows, and whether it is ASCII (unicodeobject.h).
    const STATE: usize = 32;
    if memory.word(at + TYPE)? != text_type {
        return None;
    }
    let length = memory.word(at + LENGTH)?;
    let state = memory.half(at + STATE)?;
    let (width, is_compact, is_ascii) = (state >> 2 & 7, state >> 5 & 1 != 0, state >> 6 & 1 != 0);
    if !is_compact || !matches!(width, 1 | 2 | 4) {
        return None;
    }
    let from = at
        + layout::of(if is_ascii {
            Field::Ascii
        } else {
            Field::Unicode
        });
    let mut used = 0;
    for index in 0..length.min(into.len()) {
        let mut bytes = [0; 4];
        let width = width as usize;
        memory.copy(from + index * width, &mut bytes[..width])?;
        let letter =
            char::from_u32(u32::from_le_bytes(bytes)).unwrap_or(char::REPLACEMENT_CHARACTER);
        let Some(room) = into.get_mut(used..used + letter.len_utf8()) else {
            break;
        };
        letter.encode_utf8(room);
        used += letter.len_utf8();
    }
    Some(&into[..used])
}

/// A table of lines: entries, each for some instructions.
struct Lines<'m> {
    memory: &'m mut Memory,
    at: usize,
    end: usize,
}

/// Longer tables are not read.
const MOST_LINE_BYTES: usize = 1 << 20;

impl<'m> Lines<'m> {
    fn of(code: &Code, memory: &'m mut Memory) -> Option<Lines<'m>> {
        // PyBytesObject: the size stands at 16, and the bytes at 32.
        let bytes = memory.word(code.lines + 16)?;
        let at = code.lines + 32;
        (bytes <= MOST_LINE_BYTES).then_some(Lines {
            memory,
            at,
            end: at + bytes,
        })
    }

    fn line_of(mut self, instruction: u32, first_line: u32) -> Option<u32> {
        let mut line = i64::from(first_line);
        let mut next = 0;
        while self.at < self.end {
            let head = self.byte()?;
            if head & 0x80 == 0 {
                return None;
            }
            let kind = head >> 3 & 15;
            next += u32::from(head & 7) + 1;
            match kind {
                // No location.
                15 => {}
                14 => {
                    line += self.signed()?;
                    for _ in 0..3 {
                        self.number()?;
                    }
                }
                13 => line += self.signed()?,
                10..=12 => {
                    line += i64::from(kind) - 10;
                    self.at += 2;
                }
                _ => self.at += 1,
            }
            if instruction < next {
                return match kind {
                    15 => None,
                    _ => u32::try_from(line).ok(),
                };
            }
        }
        None
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = self.memory.byte(self.at)?;
        self.at += 1;
        Some(byte)
    }

    /// Six bits in each byte, the lowest ones first; the seventh says that more follow.
    fn number(&mut self) -> Option<u32> {
        let mut number = 0;
        for shift in (0..30).step_by(6) {
            let byte = self.byte()?;
            number |= u32::from(byte & 63) << shift;
            if byte & 64 == 0 {
                return Some(number);
            }
        }
        None
    }

    /// The lowest bit is the sign.
    fn signed(&mut self) -> Option<i64> {
        let number = self.number()?;
        let size = i64::from(number >> 1);
        Some(if number & 1 == 0 { size } else { -size })
    }
}
