//! Memory of the interpreter, which is read as the interpreter does: while a [`Kept`](super::thread::Kept) says that it stays. Behind a
//! signal handler, the interpreter may be in the middle of something: then it is read through the kernel.

use std::ptr;

use super::super::copies::Copies;

const PAGE: usize = 4096;

/// A word that cannot go; none where there can be no word.
///
/// # Safety
/// An address that is aligned, and not on the first page, can be read.
#[inline(always)]
pub unsafe fn word_directly(at: usize) -> Option<usize> {
    if !at.is_multiple_of(size_of::<usize>()) || at < PAGE {
        return None;
    }
    // SAFETY: as the caller promises.
    Some(unsafe { ptr::with_exposed_provenance::<usize>(at).read() })
}

/// How memory is read, and what was read of it through the kernel.
#[repr(C)]
pub struct Memory {
    is_direct: bool,
    copies: Copies<2>,
}

impl Memory {
    /// Begins to read. `is_direct` says that all that is asked for can be read.
    #[inline(always)]
    pub fn begin(&mut self, is_direct: bool) {
        self.is_direct = is_direct;
        self.copies.forget();
    }

    /// Whether it is read without the kernel.
    #[inline(always)]
    pub fn is_direct(&self) -> bool {
        self.is_direct
    }

    /// The word at an address.
    #[inline(always)]
    pub fn word(&mut self, at: usize) -> Option<usize> {
        if self.is_direct {
            // SAFETY: as `begin` was promised.
            return unsafe { word_directly(at) };
        }
        self.word_through_kernel(at)
    }

    #[inline(never)]
    fn word_through_kernel(&mut self, at: usize) -> Option<usize> {
        let mut bytes = [0; size_of::<usize>()];
        self.copy(at, &mut bytes)?;
        Some(usize::from_ne_bytes(bytes))
    }

    /// A byte.
    #[inline(always)]
    pub fn byte(&mut self, at: usize) -> Option<u8> {
        let mut byte = [0];
        self.copy(at, &mut byte)?;
        Some(byte[0])
    }

    /// Four bytes.
    pub fn half(&mut self, at: usize) -> Option<u32> {
        let mut bytes = [0; 4];
        self.copy(at, &mut bytes)?;
        Some(u32::from_ne_bytes(bytes))
    }

    /// Copies what is at an address.
    pub fn copy(&mut self, at: usize, into: &mut [u8]) -> Option<()> {
        if at < PAGE || at.checked_add(into.len())? > isize::MAX as usize {
            return None;
        }
        if self.is_direct {
            for (index, byte) in into.iter_mut().enumerate() {
                // SAFETY: as `begin` was promised.
                *byte = unsafe { ptr::with_exposed_provenance::<u8>(at + index).read_volatile() };
            }
            return Some(());
        }
        self.copies.copy(at, into)
    }
}
