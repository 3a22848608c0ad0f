//! Where a coroutine's name is written.

use std::fmt;
use std::mem::MaybeUninit;

/// Takes the name of a coroutine, by [`write!`]; what does not fit is cut.
pub struct Name<'a> {
    room: &'a mut [MaybeUninit<u8>],
    bytes: usize,
}

impl<'a> Name<'a> {
    pub(crate) fn new(room: &'a mut [MaybeUninit<u8>]) -> Self {
        Self { room, bytes: 0 }
    }

    /// How many bytes there are, of which the first are written.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl fmt::Write for Name<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.room.iter_mut().skip(self.bytes);
        for (place, byte) in room.zip(text.bytes()) {
            place.write(byte);
        }
        self.bytes = self.bytes.saturating_add(text.len());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;

    #[test]
    fn is_cut_and_says_how_long_it_would_be() {
        let mut room = [MaybeUninit::new(b'.'); 8];
        let mut name = Name::new(&mut room[..6]);
        write!(name, "client {}", 42).expect("a name takes what comes");
        assert_eq!(name.bytes(), 9);
        // SAFETY: all of it was written when it was made.
        let written = room.map(|byte| unsafe { byte.assume_init() });
        assert_eq!(&written, b"client..");
    }
}
