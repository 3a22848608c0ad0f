//! Where CPython keeps what is read of it.
//!
//! Its structures are internal, and differ between minor versions. From 3.13 on, the runtime's first bytes say where most fields are
//! (`_Py_DebugOffsets`, pycore_runtime.h). For 3.11 and 3.12, and for the rest, the numbers here are what the headers of these
//! versions give on 64-bit machines (cpython.h, pycore_frame.h, pycore_interp.h).

use std::sync::atomic::{AtomicU32, Ordering};

/// A field: its offset within its structure, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Field {
    /// `_PyRuntimeState`: the thread that ends the interpreter; NULL before that.
    Finalizing,
    /// `_PyRuntimeState`: the first interpreter; behind it, the main one.
    Interpreters,
    /// `_PyRuntimeState`: the key of thread-specific data by which a thread has its state (`autoTSSkey`).
    Key,
    /// `PyInterpreterState`: its lock, the GIL; before 3.12 the runtime has one (`_PyRuntimeState`: who holds it).
    Lock,
    /// `PyThreadState`: the innermost frame, or (before 3.13) what has it.
    Current,
    /// `_PyCFrame`: the innermost frame; [`DIRECT`] where the thread has it itself.
    CurrentOfCall,
    /// `_PyInterpreterFrame`: the code object.
    Code,
    /// `_PyInterpreterFrame`: the instruction that it is at.
    Instruction,
    /// `_PyInterpreterFrame`: the caller's frame.
    Previous,
    /// `_PyInterpreterFrame`: the byte that says whether the interpreter was called for it.
    Owner,
    /// `PyCodeObject`: the file.
    File,
    /// `PyCodeObject`: the qualified name.
    Name,
    /// `PyCodeObject`: the table of lines.
    Lines,
    /// `PyCodeObject`: the first line.
    FirstLine,
    /// `PyCodeObject`: the instructions.
    Instructions,
    /// Bytes of `PyASCIIObject`: the text stands behind it.
    Ascii,
    /// Bytes of `PyCompactUnicodeObject`: so does other text.
    Unicode,
}

const COUNT: usize = Field::Unicode as usize + 1;

/// In place of an offset: there is no structure between.
pub const DIRECT: usize = u32::MAX as usize;

/// How to know the frames that the interpreter was called for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beginning {
    /// A byte of the frame is not 0 (3.11: `is_entry`).
    Flag,
    /// The frame before it is no frame of Python, and its byte is 3 (from 3.12 on: `FRAME_OWNED_BY_CSTACK`).
    FrameBefore,
}

/// Where the GIL says who holds it, from 3.12 on (`_gil_runtime_state`, pycore_gil.h).
pub const LAST_HOLDER: usize = 8;
/// And whether anybody does: an `int`.
pub const LOCKED: usize = 16;

const V3_11: [u32; COUNT] = [
    24, 40, 592, 576, 56, 8, 32, 56, 48, 68, 112, 128, 136, 72, 184, 48, 72,
];
const V3_12: [u32; COUNT] = [
    24, 40, 1544, 384, 56, 0, 0, 56, 8, 70, 112, 128, 136, 68, 192, 40, 56,
];
/// Only what the runtime does not describe itself: where a thread's key is, and text.
const V3_13: [u32; COUNT] = [
    0,
    0,
    2160,
    0,
    0,
    DIRECT as u32,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    40,
    56,
];

/// The offset of each field.
static OFFSETS: [AtomicU32; COUNT] = [const { AtomicU32::new(0) }; COUNT];
/// Its minor version.
static MINOR: AtomicU32 = AtomicU32::new(0);

/// The offset of a field, where [`begin`] has found it out.
#[inline(always)]
pub fn of(field: Field) -> usize {
    OFFSETS[field as usize].load(Ordering::Relaxed) as usize
}

/// How the frames are known that the interpreter was called for.
#[inline(always)]
pub fn beginning() -> Beginning {
    match has_a_lock_for_each_interpreter() {
        true => Beginning::FrameBefore,
        false => Beginning::Flag,
    }
}

/// Whether each interpreter has a lock; the runtime has the only one before 3.12.
#[inline(always)]
pub fn has_a_lock_for_each_interpreter() -> bool {
    MINOR.load(Ordering::Relaxed) >= 12
}

/// Finds out the offsets for a version (`Py_Version`), with the runtime at this address, whose words can be read. False where they are
/// not known.
pub fn begin(version: u64, runtime: usize, word: impl Fn(usize) -> usize) -> bool {
    let [major, minor] = [24, 16].map(|shift| (version >> shift) as u8);
    let mut offsets = match (major, minor) {
        (3, 11) => V3_11,
        (3, 12) => V3_12,
        (3, 13) => V3_13,
        _ => return false,
    };
    if minor >= 13 && described(runtime, word, &mut offsets).is_none() {
        return false;
    }
    for (place, offset) in OFFSETS.iter().zip(offsets) {
        place.store(offset, Ordering::Relaxed);
    }
    MINOR.store(u32::from(minor), Ordering::Relaxed);
    true
}

/// The first bytes of a runtime that describes itself.
const COOKIE: [u8; 8] = *b"xdebugpy";

/// Where the description has each field, in words from its start (3.13).
const DESCRIBED: [(Field, usize); 13] = [
    (Field::Finalizing, 4),
    (Field::Interpreters, 5),
    (Field::Lock, 14),
    (Field::Current, 23),
    (Field::Previous, 29),
    (Field::Code, 30),
    (Field::Instruction, 31),
    (Field::Owner, 33),
    (Field::File, 35),
    (Field::Name, 37),
    (Field::Lines, 38),
    (Field::FirstLine, 39),
    (Field::Instructions, 43),
];
/// Whether the build has no GIL; what is read here has other places there.
const FREE_THREADED: usize = 2;

fn described(
    runtime: usize,
    word: impl Fn(usize) -> usize,
    offsets: &mut [u32; COUNT],
) -> Option<()> {
    let word = |index: usize| word(runtime + index * size_of::<usize>());
    if word(0).to_ne_bytes() != COOKIE || word(FREE_THREADED) != 0 {
        return None;
    }
    for (field, index) in DESCRIBED {
        offsets[field as usize] = u32::try_from(word(index)).ok()?;
    }
    Some(())
}
