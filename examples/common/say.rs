//! Prints a line without allocating, so that a hook may do it.

use core::fmt::{self, Write};

/// Writes one line to stderr: a buffer on the stack, one `write(2)`, and `errno` as it was.
///
/// `eprintln!` would do on some days. But it takes a lock that the interrupted program may hold, and
/// what it does inside is not promised; here every step can be seen.
pub fn say(text: fmt::Arguments<'_>) {
    let mut line = Line {
        bytes: [0; 160],
        len: 0,
    };
    // Neither can fail: what doesn't fit is cut off.
    let _ = line.write_fmt(text);
    line.bytes[line.len] = b'\n';

    // SAFETY: `len` bytes and the newline are initialised and lie inside `bytes`; the location of
    // errno is valid for this thread.
    unsafe {
        let errno = libc::__errno_location();
        let before = *errno;
        libc::write(
            libc::STDERR_FILENO,
            line.bytes.as_ptr().cast(),
            line.len + 1,
        );
        *errno = before;
    }
}

struct Line {
    bytes: [u8; 160],
    len: usize,
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.bytes.len() - 1 - self.len;
        let taken = text.len().min(room);
        self.bytes[self.len..self.len + taken].copy_from_slice(&text.as_bytes()[..taken]);
        self.len += taken;
        Ok(())
    }
}
