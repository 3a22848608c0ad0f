//! The functions by which stdio calls the kernel: [`streams`] puts them into the tables of streams. They are not
//! exported; only the C library calls them.

use std::ffi::{c_int, c_void};

use libc::{FILE, off64_t, ssize_t};

use super::io_body;
use crate::coop::{self};
use crate::files::records::Direction;
use crate::life::end;
use crate::linking::streams;
use crate::recording::{NO_SIZE, returns};

/// Called after the call is recorded. At exit, the C library flushes all streams after the last handler of exit. So it
/// still calls these functions after the handler that writes the report.
#[inline(always)]
fn settled<T>(stream: *mut FILE, result: T) -> T {
    end::asked_by_stdio(stream);
    result
}

/// # Safety
/// As stdio calls it: with a stream, and a buffer of `size` bytes.
pub unsafe extern "C-unwind" fn read(
    stream: *mut FILE,
    buffer: *mut c_void,
    size: ssize_t,
) -> ssize_t {
    io_body!(StdioRead(stream: *mut FILE, buffer: *mut c_void, size: ssize_t) -> ssize_t,
        returns::bytes, streams::fd(stream), size as usize, settled |result| settled(stream, result),
        parts |parts, next, fd| coop::buffered(parts, fd, Direction::In, 0, next))
}

/// # Safety
/// As stdio calls it: with a stream, and a buffer of `size` bytes. Returns less than `size` only on failure.
pub unsafe extern "C-unwind" fn write(
    stream: *mut FILE,
    buffer: *const c_void,
    size: ssize_t,
) -> ssize_t {
    io_body!(StdioWrite(stream: *mut FILE, buffer: *const c_void, size: ssize_t) -> ssize_t,
        |moved| returns::all_bytes(moved, size), streams::fd(stream), size as usize, settled |result| settled(stream, result),
        parts |parts, next, fd| coop::buffered(parts, fd, Direction::Out, size as usize, next))
}

/// # Safety
/// As stdio calls it: with a stream.
pub unsafe extern "C-unwind" fn seek(stream: *mut FILE, offset: off64_t, whence: c_int) -> off64_t {
    io_body!(StdioSeek(stream: *mut FILE, offset: off64_t, whence: c_int) -> off64_t,
        returns::offset, streams::fd(stream), NO_SIZE, settled |result| settled(stream, result))
}

/// # Safety
/// As stdio calls it: with a stream.
pub unsafe extern "C-unwind" fn close(stream: *mut FILE) -> c_int {
    io_body!(StdioClose(stream: *mut FILE) -> c_int,
        returns::status, streams::fd(stream), NO_SIZE, settled |result| settled(stream, result))
}

/// # Safety
/// As stdio calls it: with a stream, and room for a `struct stat`.
pub unsafe extern "C-unwind" fn stat(stream: *mut FILE, to: *mut c_void) -> c_int {
    io_body!(StdioStat(stream: *mut FILE, to: *mut c_void) -> c_int,
        returns::status, streams::fd(stream), NO_SIZE, settled |result| settled(stream, result))
}
