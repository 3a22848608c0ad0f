//! What the results of stdio's functions mean.

use std::ffi::{CStr, c_char, c_int};

use libc::{FILE, size_t, wchar_t};
use weir_record::functions::Function;

use super::{Outcome, moved_by_this_thread};
use crate::linking::streams;
use crate::sys;

const NEWLINE: c_char = b'\n' as c_char;

/// The number of items of `size` bytes that were moved. Fewer than `asked` is a failure if the stream has had an error.
#[inline(always)]
pub fn items(items: size_t, size: size_t, asked: size_t, stream: *mut FILE) -> Outcome {
    if items < asked && streams::has_failed(stream) {
        return failed();
    }
    Outcome::Bytes(items.wrapping_mul(size) as u64)
}

/// A line that is about to be read. It may contain NULs. Then its text in memory does not show its length, but the
/// stream's positions before and after the call do.
#[derive(Clone, Copy)]
pub struct Line {
    stream: *mut FILE,
    /// The size of the buffer in bytes, including the NUL at the end.
    room: size_t,
    /// Whether the line keeps the newline at its end.
    keeps_newline: bool,
    /// How many bytes the stream's buffer holds that were not read yet.
    ahead: usize,
    /// How many bytes this thread's streams have read from the kernel so far. `None` if the thread has no visible slot.
    refilled: Option<u64>,
}

impl Line {
    /// A line of `fgets` and the like. `room` is the size of the buffer in bytes.
    #[inline(always)]
    pub fn with_newline(room: c_int, stream: *mut FILE) -> impl Fn(*mut c_char) -> Outcome {
        let room = usize::try_from(room).unwrap_or(0);
        let line = Line::begin(stream, room, true);
        move |text| line.end(text)
    }

    /// A line of `gets`.
    pub fn without_newline() -> impl Fn(*mut c_char) -> Outcome {
        let line = Line::begin(streams::standard_input(), usize::MAX, false);
        move |text| line.end(text)
    }

    #[inline(always)]
    fn begin(stream: *mut FILE, room: size_t, keeps_newline: bool) -> Line {
        Line {
            stream,
            room,
            keeps_newline,
            ahead: streams::ahead(stream),
            refilled: moved_by_this_thread(Function::StdioRead),
        }
    }

    /// What was read; NULL is a failure if the stream has had an error.
    #[inline(always)]
    fn end(self, text: *mut c_char) -> Outcome {
        if text.is_null() {
            return end_or_failure(self.stream);
        }
        // SAFETY: the C library has just written a NUL at its end.
        let length = unsafe { CStr::from_ptr(text) }.count_bytes();
        // SAFETY: the byte before that NUL, which exists because the length is not 0.
        let ends = length > 0 && unsafe { *text.add(length - 1) } == NEWLINE;
        if ends || length + 1 >= self.room {
            return Outcome::Bytes(length as u64);
        }
        Outcome::Bytes(self.length_with_nuls(text, length) as u64)
    }

    /// The length in bytes of a line that has a NUL before its end, or is the last one and has no newline.
    #[cold]
    #[inline(never)]
    fn length_with_nuls(self, text: *const c_char, at_least: usize) -> usize {
        // SAFETY: the program has passed it to stdio as a stream.
        let latest = unsafe { streams::latest(self.stream) };
        let ended = latest == Some(NEWLINE);
        // SAFETY: the program's buffer has `room` bytes. The buffer of `gets` has room for all that the stream gives.
        let at = |place: usize| unsafe { *text.add(place) };
        let refilled = moved_by_this_thread(Function::StdioRead);
        if let (Some(before), Some(after)) = (self.refilled, refilled) {
            let refilled = after.wrapping_sub(before) as usize;
            let dropped = usize::from(ended && !self.keeps_newline);
            let taken = self
                .ahead
                .wrapping_add(refilled)
                .wrapping_sub(streams::ahead(self.stream))
                .wrapping_sub(dropped);
            // Another thread may have read from the same stream.
            if (at_least..self.room).contains(&taken) && at(taken) == 0 {
                return taken;
            }
        }
        if !self.keeps_newline {
            return at_least;
        }
        if ended {
            // The first newline ends the line.
            let ends = (at_least..self.room - 1).find(|&place| at(place) == NEWLINE);
            return ends.map_or(at_least, |place| place + 1);
        }
        // SAFETY: the program has passed it to stdio as a stream.
        let is_over = unsafe { streams::has_ended(self.stream) };
        if is_over { at_least } else { self.room - 1 }
    }
}

/// A line of wide characters, of which no bytes are counted: its length in bytes is not known. NULL is a failure if the
/// stream has had an error.
#[inline(always)]
pub fn wide_line(line: *mut wchar_t, stream: *mut FILE) -> Outcome {
    if line.is_null() {
        return end_or_failure(stream);
    }
    Outcome::Bytes(0)
}

/// A text that is about to be written, and `more` bytes after it; less than 0 is a failure. Its length is counted before the call, as
/// stdio does: whoever receives it may free it before the call returns.
#[inline(always)]
pub fn text(text: *const c_char, more: u64) -> impl Fn(c_int) -> Outcome {
    let length = match text.is_null() {
        true => 0,
        // SAFETY: the program's text, of which stdio is about to count the length, too.
        false => unsafe { CStr::from_ptr(text) }.count_bytes() as u64,
    };
    move |status| match status {
        0.. => Outcome::Bytes(length + more),
        _ => failed(),
    }
}

/// A character, which is one byte; EOF is a failure if the stream has had an error.
#[inline(always)]
pub fn character(character: c_int, stream: *mut FILE) -> Outcome {
    if character < 0 {
        return end_or_failure(stream);
    }
    Outcome::Bytes(1)
}

/// The next character, which is not read yet; EOF is a failure if the stream has had an error.
#[inline(always)]
pub fn coming(character: c_int, stream: *mut FILE) -> Outcome {
    if character < 0 {
        return end_or_failure(stream);
    }
    Outcome::Bytes(0)
}

/// A word of four bytes, which may also have the value of EOF. EOF is a failure if the stream has had an error.
#[inline(always)]
pub fn word(word: c_int, stream: *mut FILE) -> Outcome {
    if word == libc::EOF {
        return end_or_failure(stream);
    }
    Outcome::Bytes(4)
}

/// A wide character, of which no bytes are counted: its length in bytes is not known. All bits set is a failure if the
/// stream has had an error.
#[inline(always)]
pub fn wide(character: u32, stream: *mut FILE) -> Outcome {
    if character == u32::MAX {
        return end_or_failure(stream);
    }
    Outcome::Bytes(0)
}

/// The number of bytes that were read; less than 0 is a failure if the stream has had an error.
#[inline(always)]
pub fn length(length: isize, stream: *mut FILE) -> Outcome {
    match u64::try_from(length) {
        Ok(length) => Outcome::Bytes(length),
        Err(_) => end_or_failure(stream),
    }
}

/// The number of bytes that were written; less than 0 is a failure.
#[inline(always)]
pub fn printed(length: c_int) -> Outcome {
    match u64::try_from(length) {
        Ok(length) => Outcome::Bytes(length),
        Err(_) => failed(),
    }
}

/// The number of values that were read, not of bytes; less than 0 is a failure if the stream has had an error.
#[inline(always)]
pub fn scanned(values: c_int, stream: *mut FILE) -> Outcome {
    if values < 0 {
        return end_or_failure(stream);
    }
    Outcome::Bytes(0)
}

#[cold]
fn end_or_failure(stream: *mut FILE) -> Outcome {
    if streams::has_failed(stream) {
        failed()
    } else {
        Outcome::Bytes(0)
    }
}

#[cold]
fn failed() -> Outcome {
    Outcome::Failed(sys::errno())
}
