//! Bytes in place: a text, a path. The code that needs them has no heap, and its stack may be small.

use std::ffi::CStr;
use std::fmt::{self, Write};

/// Up to N - 1 bytes, in place. The length comes first, so that a short value touches only the first page.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Bytes<const N: usize> {
    length: usize,
    bytes: [u8; N],
}

impl<const N: usize> Bytes<N> {
    /// No bytes.
    pub const fn new() -> Bytes<N> {
        Bytes {
            length: 0,
            bytes: [0; N],
        }
    }

    /// Sets the bytes to the target of a symbolic link. Sets none if there is no link; cuts a target that does not
    /// fit.
    pub fn set_to_target_of(&mut self, link: &CStr) {
        let target = rustix::fs::readlinkat_raw(rustix::fs::CWD, link, &mut self.bytes[..N - 1]);
        self.length = target.unwrap_or(0);
        self.bytes[self.length] = 0;
    }

    /// Removes all bytes.
    pub fn clear(&mut self) {
        self.bytes[0] = 0;
        self.length = 0;
    }

    /// Keeps at most the first `length` bytes.
    pub fn truncate(&mut self, length: usize) {
        self.length = length.min(self.length);
        self.bytes[self.length] = 0;
    }

    /// Appends bytes. If not all fit, appends nothing and returns false.
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

    /// Appends the bytes that fit.
    pub fn push_what_fits(&mut self, more: &[u8]) {
        let room = N - 1 - self.length;
        let _ = self.push(&more[..more.len().min(room)]);
    }

    /// Appends a number, in decimal. If it does not fit, appends nothing and returns false.
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

    /// The bytes up to the first NUL, as a C string.
    pub fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.bytes[..=self.length]).unwrap_or(c"")
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }
}

impl<const N: usize> Write for Bytes<N> {
    /// Appends the bytes that fit. Never fails.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push_what_fits(text.as_bytes());
        Ok(())
    }
}
