//! Bytes in place: a text, a path. No heap is at hand where they are needed, and the stack may be small.

use std::ffi::CStr;
use std::fmt::{self, Write};

/// Some bytes, in place. The length comes first: of few bytes the first page is all that is touched.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Bytes<const N: usize> {
    length: usize,
    bytes: [u8; N],
}

impl<const N: usize> Bytes<N> {
    /// None.
    pub const fn new() -> Bytes<N> {
        Bytes {
            length: 0,
            bytes: [0; N],
        }
    }

    /// Sets them to the target of a symbolic link; to none where there is none, or no room for it.
    pub fn set_to_target_of(&mut self, link: &CStr) {
        let target = rustix::fs::readlinkat_raw(rustix::fs::CWD, link, &mut self.bytes[..N - 1]);
        self.length = target.unwrap_or(0);
        self.bytes[self.length] = 0;
    }

    /// Leaves nothing of them.
    pub fn clear(&mut self) {
        self.bytes[0] = 0;
        self.length = 0;
    }

    /// Leaves the first so many of them, which there must be.
    pub fn truncate(&mut self, length: usize) {
        self.length = length.min(self.length);
        self.bytes[self.length] = 0;
    }

    /// Appends. Where there is no room for all of it, nothing, and false.
    #[must_use]
    pub fn push(&mut self, more: &[u8]) -> bool {
        // One byte is left for the NUL of `as_c_str`.
        let Some(room) = self
            .bytes
            .get_mut(self.length..N - 1)
            .and_then(|room| room.get_mut(..more.len()))
        else {
            return false;
        };
        room.copy_from_slice(more);
        self.length += more.len();
        self.bytes[self.length] = 0;
        true
    }

    /// Appends what there is room for.
    pub fn push_what_fits(&mut self, more: &[u8]) {
        let room = N - 1 - self.length;
        let _ = self.push(&more[..more.len().min(room)]);
    }

    /// Appends a number, in decimal.
    #[must_use]
    pub fn push_number(&mut self, number: u64) -> bool {
        let mut digits = [0; 20];
        let mut left = number;
        let mut first = digits.len();
        loop {
            first -= 1;
            digits[first] = b'0' + (left % 10) as u8;
            left /= 10;
            if left == 0 {
                return self.push(&digits[first..]);
            }
        }
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// The bytes, as a C string up to the first NUL.
    pub fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.bytes[..=self.length]).unwrap_or(c"")
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }
}

impl<const N: usize> Write for Bytes<N> {
    /// Appends what there is room for.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push_what_fits(text.as_bytes());
        Ok(())
    }
}
