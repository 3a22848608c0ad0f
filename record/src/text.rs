//! Text in shared memory.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// Text of unknown encoding, cut to fit.
#[derive(Debug)]
#[repr(C)]
pub struct Text<const N: usize> {
    length: AtomicU64,
    bytes: [AtomicU8; N],
}

impl<const N: usize> Text<N> {
    /// Sets the text.
    pub fn set(&self, text: &[u8]) {
        self.set_parts([text]);
    }

    /// Sets the text to the parts, one after the other.
    pub fn set_parts<'a>(&self, parts: impl IntoIterator<Item = &'a [u8]>) {
        let mut places = self.bytes.iter();
        for part in parts {
            for (&byte, place) in part.iter().zip(places.by_ref()) {
                place.store(byte, Ordering::Relaxed);
            }
        }
        let length = N - places.len();
        self.length.store(length as u64, Ordering::Relaxed);
    }

    /// The bytes.
    pub fn bytes(&self) -> impl Iterator<Item = u8> {
        let length = usize::try_from(self.length.load(Ordering::Relaxed))
            .unwrap_or(N)
            .min(N);
        self.bytes[..length]
            .iter()
            .map(|byte| byte.load(Ordering::Relaxed))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.length.load(Ordering::Relaxed) == 0
    }

    /// Whether the text may have been cut.
    pub fn is_full(&self) -> bool {
        self.length.load(Ordering::Relaxed) >= N as u64
    }
}
