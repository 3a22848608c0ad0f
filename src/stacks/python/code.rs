//! Functions of Python: their entries in the region, and the lines of their instructions.

use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};

use weir_record::region::MAX_INTERPRETED;
use weir_record::stacks::InterpretedCode;

use super::layout::{self, Field};
use super::memory::Memory;
use crate::memory::versioned::Versioned;
use crate::process::{self, copied};
use crate::region::mapping;
use crate::sys::Turn;

/// A code object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Id {
    /// Its address.
    at: usize,
    /// What it says of itself: that of another function, which may be at the same address later, differs.
    signature: usize,
}

/// Entries that were found not long ago: the code object, and the entry's number.
static KNOWN: [Versioned<3>; 4096] = [const { Versioned::new() }; 4096];
/// The numbers of the entries plus one, by the hash of the function; 0 is none.
static INDEX: [AtomicU16; 2 * MAX_INTERPRETED] = [const { AtomicU16::new(0) }; 2 * MAX_INTERPRETED];
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
    // Most processes have none.
    if MADE.swap(0, Ordering::Relaxed) == 0 {
        return;
    }
    for number in &INDEX {
        number.store(0, Ordering::Relaxed);
    }
    for known in &KNOWN {
        if known.get().is_none_or(|[at, ..]| at != 0) {
            known.set([0; 3]);
        }
    }
}

impl Id {
    /// The code object at an address. `word` reads.
    #[inline(always)]
    pub fn of(
        at: usize,
        fields: &Fields,
        mut word: impl FnMut(usize) -> Option<usize>,
    ) -> Option<Id> {
        const WORD: usize = size_of::<usize>();
        const MIX: usize = 0x9e37_79b9_7f4a_7c15;
        let first_line = word(at.wrapping_add(fields.first_line & !(WORD - 1)))?;
        let mut signature = first_line.wrapping_mul(MIX);
        for (text, turn) in [(fields.file, 1), (fields.name, 33)] {
            let text = word(at.wrapping_add(text))?;
            let hash = word(text.wrapping_add(TEXT_HASH))?;
            // Most texts have one, of 64 bits. Of the others, what stands at both ends has to do.
            if hash != NO_HASH {
                signature ^= hash.rotate_left(turn);
                continue;
            }
            let length = word(text.wrapping_add(TEXT_LENGTH))?;
            let from = text.wrapping_add(fields.text);
            let first = word(from)?;
            // Up to the last byte; behind it, there may be anything.
            let end = from.wrapping_add(length.min(MOST_TEXT));
            let bits = 8 * (end % WORD);
            let last = match bits {
                0 => 0,
                bits => word(end & !(WORD - 1))? & ((1 << bits) - 1),
            };
            for (part, by) in [(length, 0), (first, 17), (last, 27)] {
                signature ^= part.rotate_left(turn + by);
            }
        }
        Some(Id { at, signature })
    }

    #[inline(always)]
    pub fn hash(self) -> usize {
        (self.at >> 4) ^ self.signature
    }

    fn place(self) -> &'static Versioned<3> {
        let hash = (self.hash() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48;
        &KNOWN[hash as usize % KNOWN.len()]
    }

    /// The number of the function's entry, if it was found not long ago.
    #[inline(always)]
    pub fn known(self) -> Option<u16> {
        let [at, signature, entry] = self.place().get()?;
        (Id { at, signature } == self).then_some(entry as u16)
    }
}

/// Where an [`Id`] finds what it is made of.
pub struct Fields {
    first_line: usize,
    file: usize,
    name: usize,
    text: usize,
}

impl Fields {
    /// By the layout of now.
    #[inline(always)]
    pub fn now() -> Fields {
        Fields {
            first_line: layout::of(Field::FirstLine),
            file: layout::of(Field::File),
            name: layout::of(Field::Name),
            text: layout::of(Field::Ascii),
        }
    }
}

/// PyASCIIObject (unicodeobject.h): how many characters, and their hash.
const TEXT_LENGTH: usize = 16;
const TEXT_HASH: usize = 24;
const NO_HASH: usize = usize::MAX;
/// A text that is longer is none.
const MOST_TEXT: usize = 1 << 20;

/// What a code object says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    id: Id,
    file: usize,
    name: usize,
    lines: usize,
    first_line: u32,
}

impl Code {
    /// The code object; none if there is no object of this type.
    pub fn of(id: Id, code_type: usize, memory: &mut Memory) -> Option<Code> {
        const TYPE: usize = 8; // PyObject: the type, behind the count of references
        if memory.word(id.at + TYPE)? != code_type {
            return None;
        }
        let mut word = |field| memory.word(id.at + layout::of(field));
        let [file, name, lines] = [word(Field::File)?, word(Field::Name)?, word(Field::Lines)?];
        Some(Code {
            id,
            file,
            name,
            lines,
            first_line: memory.half(id.at + layout::of(Field::FirstLine))?,
        })
    }

    /// Whether it is the interpreter's own, which calls `__init__` (from 3.12 on): its file is its name.
    pub fn is_trampoline(&self) -> bool {
        self.file == self.name
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
            let Id { at, signature } = self.id;
            self.id.place().set([at, signature, entry.into()]);
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
    let entries = region.all_interpreted();
    let mut place = InterpretedCode::hash_of(file, name, first_line) as usize % INDEX.len();
    // It is never more than half full.
    while let Some(number) = INDEX[place].load(Ordering::Relaxed).checked_sub(1) {
        let entry = entries.get(usize::from(number))?;
        if entry.is(file, name, first_line) {
            return Some(number);
        }
        place = (place + 1) % INDEX.len();
    }
    let used = header.interpreted_used();
    if used >= MADE.load(Ordering::Relaxed) {
        let more = mapping::make_interpreted(used)?;
        MADE.store(used + more, Ordering::Relaxed);
    }
    let number = u16::try_from(used).ok()?;
    entries.get(used)?.begin(file, name, first_line);
    header.use_interpreted(used + 1);
    INDEX[place].store(number + 1, Ordering::Relaxed);
    Some(number)
}

/// In place of what is left out.
const CUT: &[u8] = "…".as_bytes();

/// The text of a `str` in UTF-8. One that is too long loses its beginning: the end of a path says more.
fn text<'b>(
    at: usize,
    text_type: usize,
    memory: &mut Memory,
    into: &'b mut [u8],
) -> Option<&'b [u8]> {
    const TYPE: usize = 8;
    // Bit fields: two bits of interning, three of the width, then whether the text follows, and whether it is ASCII (unicodeobject.h).
    const STATE: usize = 32;
    if memory.word(at + TYPE)? != text_type {
        return None;
    }
    let length = memory.word(at + TEXT_LENGTH)?;
    let state = memory.half(at + STATE)?;
    let (width, is_compact, is_ascii) = (state >> 2 & 7, state >> 5 & 1 != 0, state >> 6 & 1 != 0);
    if !is_compact || !matches!(width, 1 | 2 | 4) {
        return None;
    }
    let width = width as usize;
    let head = if is_ascii {
        Field::Ascii
    } else {
        Field::Unicode
    };
    let from = at + layout::of(head);
    let letter = |memory: &mut Memory, index: usize| {
        let mut bytes = [0; 4];
        memory.copy(from + index * width, &mut bytes[..width])?;
        let letter = char::from_u32(u32::from_le_bytes(bytes));
        Some(letter.unwrap_or(char::REPLACEMENT_CHARACTER))
    };
    // The first of the last letters that have so much room.
    let first_in = |memory: &mut Memory, room: usize| {
        let (mut first, mut used) = (length, 0);
        while let Some(before) = first.checked_sub(1) {
            used += letter(memory, before)?.len_utf8();
            if used > room {
                break;
            }
            first = before;
        }
        Some(first)
    };
    let (mut first, mut used) = (first_in(memory, into.len())?, 0);
    if first > 0 {
        first = first_in(memory, into.len().saturating_sub(CUT.len()))?;
        used = CUT.len();
        into.get_mut(..used)?.copy_from_slice(CUT);
    }
    for index in first..length {
        let letter = letter(memory, index)?;
        let room = into.get_mut(used..used + letter.len_utf8())?;
        letter.encode_utf8(room);
        used += letter.len_utf8();
    }
    into.get(..used)
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
