//! Functions of interpreted code, and their lines.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::text::Text;

/// A function of interpreted code.
#[derive(Debug)]
#[repr(C)]
pub struct InterpretedCode {
    /// Of all that follows: most others have another one.
    hash: AtomicU64,
    first_line: AtomicU32,
    _unused: AtomicU32,
    /// Path of the file, as the interpreter was given it.
    pub file: Text<312>,
    /// The function as its language names it.
    pub function: Text<168>,
}

const _: () = assert!(size_of::<InterpretedCode>() == 512);

impl InterpretedCode {
    /// Says what it is. It is in use by nobody else.
    pub fn begin(&self, file: &[u8], function: &[u8], first_line: u32) {
        let hash = hash(file, function, first_line);
        self.hash.store(hash, Ordering::Relaxed);
        self.first_line.store(first_line, Ordering::Relaxed);
        self.file.set(file);
        self.function.set(function);
    }

    /// A number that differs between most functions.
    pub fn hash_of(file: &[u8], function: &[u8], first_line: u32) -> u64 {
        hash(file, function, first_line)
    }

    /// Whether it is this function.
    pub fn is(&self, file: &[u8], function: &[u8], first_line: u32) -> bool {
        fn begins(bytes: impl Iterator<Item = u8>, text: &[u8]) -> bool {
            let mut text = text.iter().copied();
            // What is kept may be cut.
            bytes.zip(text.by_ref()).all(|(kept, byte)| kept == byte)
        }
        self.hash.load(Ordering::Relaxed) == hash(file, function, first_line)
            && self.first_line() == first_line
            && begins(self.file.bytes(), file)
            && begins(self.function.bytes(), function)
    }

    /// The line that the function begins with.
    pub fn first_line(&self) -> u32 {
        self.first_line.load(Ordering::Relaxed)
    }
}

/// FNV-1a.
fn hash(file: &[u8], function: &[u8], first_line: u32) -> u64 {
    let bytes = file
        .iter()
        .chain(&[0])
        .chain(function)
        .copied()
        .chain(first_line.to_ne_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// A line of a function of interpreted code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// The number of the function's entry.
    pub code: u16,
    /// The line, from 1 on; 0 where it is not known.
    pub line: u32,
}
