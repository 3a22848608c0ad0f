//! Keys from a terminal in raw mode.
//!
//! crossterm reads keys, too, but where the terminal is gone it reads the end of the file for ever, and it waits without a limit for the
//! rest of a sequence that has begun. Nobody who asks it can prevent that.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

const ESCAPE: u8 = 0x1b;
/// How long the rest of a sequence may take. The key Escape is the begin of one without a rest.
const REST: Duration = Duration::from_millis(50);
/// No key has a longer sequence.
const LONGEST: usize = 32;

/// The keys of a terminal.
pub struct Keyboard<'t> {
    tty: BorrowedFd<'t>,
    /// What has been typed, and not been taken.
    typed: Vec<u8>,
}

/// What is first of what has been typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum First {
    /// So many bytes are a key, or one that is none of ours.
    Key(Option<KeyEvent>, usize),
    /// A sequence that has not come to its end.
    Begun,
}

impl<'t> Keyboard<'t> {
    /// The keys of this terminal, which nobody else reads.
    pub fn new(tty: BorrowedFd<'t>) -> Keyboard<'t> {
        let typed = Vec::new();
        Keyboard { tty, typed }
    }

    /// Waits so long at the most for a key.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn wait(&mut self, time: Duration) -> io::Result<Option<KeyEvent>> {
        if self.typed.is_empty() {
            self.read(time)?;
        }
        while !self.typed.is_empty() {
            let (key, length) = match first(&self.typed) {
                First::Key(key, length) => (key, length),
                First::Begun if self.read(REST)? => continue,
                First::Begun => {
                    let is_escape = self.typed == [ESCAPE];
                    let key = is_escape.then_some(KeyCode::Esc);
                    (key.map(KeyEvent::from), self.typed.len())
                }
            };
            self.typed.drain(..length);
            if key.is_some() {
                return Ok(key);
            }
        }
        Ok(None)
    }

    /// Reads what is typed within a time; whether anything was.
    fn read(&mut self, time: Duration) -> io::Result<bool> {
        let mut awaited = [PollFd::from_borrowed_fd(self.tty, PollFlags::IN)];
        match poll(&mut awaited, Timespec::try_from(time).ok().as_ref()) {
            Ok(0) | Err(Errno::INTR) => return Ok(false),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        let mut bytes = [0; 256];
        match rustix::io::read(self.tty, &mut bytes) {
            Ok(0) => Err(io::Error::other("the terminal is closed")),
            Ok(length) => {
                self.typed.extend(&bytes[..length]);
                Ok(true)
            }
            Err(Errno::AGAIN | Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// What is first of some bytes, which are not none.
fn first(typed: &[u8]) -> First {
    match *typed {
        [ESCAPE] => First::Begun,
        [ESCAPE, b'[' | b'O', ref rest @ ..] => {
            // ECMA-48, 5.4: parameters, and a letter at the end.
            match rest.iter().position(|byte| (0x40..=0x7e).contains(byte)) {
                Some(end) => First::Key(of_sequence(&rest[..=end]), 2 + end + 1),
                None if typed.len() > LONGEST => First::Key(None, typed.len()),
                None => First::Begun,
            }
        }
        [ESCAPE, ..] => First::Key(Some(KeyCode::Esc.into()), 1),
        _ => of_letters(typed),
    }
}

fn of_letters(typed: &[u8]) -> First {
    let whole = match std::str::from_utf8(typed) {
        Ok(text) => text,
        Err(error) if error.valid_up_to() == 0 => {
            return match error.error_len() {
                None => First::Begun,
                Some(length) => First::Key(None, length),
            };
        }
        Err(error) => std::str::from_utf8(&typed[..error.valid_up_to()]).unwrap_or_default(),
    };
    let Some(letter) = whole.chars().next() else {
        return First::Key(None, typed.len());
    };
    let key = match letter {
        '\r' | '\n' => Some(KeyCode::Enter.into()),
        '\t' => Some(KeyCode::Tab.into()),
        '\x08' | '\x7f' => Some(KeyCode::Backspace.into()),
        '\x03' => Some(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)),
        letter if letter.is_control() => None,
        letter => Some(KeyCode::Char(letter).into()),
    };
    First::Key(key, letter.len_utf8())
}

/// The key of a sequence, without what all begin with. Terminals differ in some.
fn of_sequence(rest: &[u8]) -> Option<KeyEvent> {
    let code = match rest {
        b"A" => KeyCode::Up,
        b"B" => KeyCode::Down,
        b"C" => KeyCode::Right,
        b"D" => KeyCode::Left,
        b"H" | b"1~" | b"7~" => KeyCode::Home,
        b"5~" => KeyCode::PageUp,
        b"6~" => KeyCode::PageDown,
        b"Z" => KeyCode::BackTab,
        _ => return None,
    };
    Some(code.into())
}

#[cfg(test)]
mod tests {
    use std::io::{Write, pipe};
    use std::os::fd::AsFd;

    use super::*;

    const NOW: Duration = Duration::ZERO;

    #[test]
    fn keys_are_distinguished_also_where_they_come_together_or_in_parts() {
        let (reader, mut writer) = pipe().unwrap();
        let mut keyboard = Keyboard::new(reader.as_fd());
        assert_eq!(keyboard.wait(NOW).unwrap(), None);
        let typed = b"q\x1b[A\x1bOB\x1b[6~\x1b[1;5C\x1b[Z\t\r\x7f\xc3\xa9\x01\x03\x1bx\x1b";
        writer.write_all(typed).unwrap();
        let keys: Vec<KeyEvent> =
            std::iter::from_fn(|| keyboard.wait(Duration::from_secs(1)).unwrap())
                .take(12)
                .collect();
        let expected = [
            KeyCode::Char('q'),
            KeyCode::Up,
            KeyCode::Down,
            KeyCode::PageDown,
            // Control and an arrow: no key of ours.
            KeyCode::BackTab,
            KeyCode::Tab,
            KeyCode::Enter,
            KeyCode::Backspace,
            KeyCode::Char('é'),
            KeyCode::Char('c'),
            KeyCode::Esc,
            KeyCode::Char('x'),
        ];
        assert_eq!(
            keys.iter().map(|key| key.code).collect::<Vec<_>>(),
            expected
        );
        assert_eq!(keys[9].modifiers, KeyModifiers::CONTROL);
        let last = keyboard.wait(NOW).unwrap();
        assert_eq!(last, Some(KeyCode::Esc.into()), "nothing follows");

        writer.write_all(b"\xc3").unwrap();
        assert_eq!(keyboard.wait(NOW).unwrap(), None, "half a letter alone");
        assert_eq!(first(b"\x1b["), First::Begun);
        assert_eq!(first(b"\xc3"), First::Begun);
        assert_eq!(first(b"\xff"), First::Key(None, 1));
        let endless = [b"\x1b[".as_slice(), &[b'0'; LONGEST]].concat();
        assert_eq!(first(&endless), First::Key(None, endless.len()));
    }

    #[test]
    fn a_terminal_that_is_gone_is_an_error_at_once() {
        let (reader, mut writer) = pipe().unwrap();
        let mut keyboard = Keyboard::new(reader.as_fd());
        writer.write_all(b"\x1b[").unwrap();
        drop(writer);
        assert!(keyboard.wait(Duration::from_secs(60)).is_err());
    }
}
