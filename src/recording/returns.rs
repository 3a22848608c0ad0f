//! What the results of functions mean. The error of a failure is `errno`, except in [`error_number`],
//! [`thread_result`] and [`resolution`].

use std::ffi::{c_int, c_long};

use libc::{mmsghdr, msghdr};

use super::io::{Message, Requested};
use super::{Outcome, Vector};
use crate::program_memory::each_after;
use crate::sys;

/// The number of bytes that were moved; -1 is a failure.
#[inline(always)]
pub fn bytes(result: isize) -> Outcome {
    match u64::try_from(result) {
        Ok(bytes) => Outcome::Bytes(bytes),
        Err(_) => Outcome::Failed(sys::errno()),
    }
}

/// The number of bytes that were received; -1 is a failure. With MSG_TRUNC, the result is the length of the whole
/// message, but no more than `room` bytes were moved.
#[inline(always)]
pub fn received(result: isize, room: usize, flags: c_int) -> Outcome {
    match bytes(result) {
        Outcome::Bytes(bytes) if flags & libc::MSG_TRUNC != 0 => {
            Outcome::Bytes(bytes.min(room as u64))
        }
        outcome => outcome,
    }
}

/// The same as [`received`], into a message's vector.
#[inline(always)]
pub fn received_message(result: isize, message: *const msghdr, flags: c_int) -> Outcome {
    match bytes(result) {
        Outcome::Bytes(bytes) if flags & libc::MSG_TRUNC != 0 => {
            Outcome::Bytes(bytes.min(Message(message).bytes()))
        }
        outcome => outcome,
    }
}

/// The number of bytes that were moved; less than `asked` is a failure.
#[inline(always)]
pub fn all_bytes(result: isize, asked: isize) -> Outcome {
    match u64::try_from(result) {
        Ok(bytes) if result >= asked => Outcome::Bytes(bytes),
        Ok(0) | Err(_) => Outcome::Failed(sys::errno()),
        Ok(bytes) => Outcome::Short(bytes, sys::errno()),
    }
}

/// A length, of which no bytes count as moved; -1 is a failure.
#[inline(always)]
pub fn length(result: isize) -> Outcome {
    moved_none(result >= 0)
}

/// 0 or more, but not a number of bytes; -1 is a failure.
#[inline(always)]
pub fn status(result: c_int) -> Outcome {
    moved_none(result >= 0)
}

/// An offset in bytes; -1 is a failure.
#[inline(always)]
pub fn offset(result: i64) -> Outcome {
    match u64::try_from(result) {
        Ok(offset) => Outcome::At(offset),
        Err(_) => Outcome::Failed(sys::errno()),
    }
}

/// The offset of a stream in bytes, which is not that of its file; -1 is a failure.
#[inline(always)]
pub fn place(result: c_long) -> Outcome {
    moved_none(result >= 0)
}

/// A pointer; NULL is a failure.
#[inline(always)]
pub fn handle<T>(result: *mut T) -> Outcome {
    moved_none(!result.is_null())
}

/// A pointer; NULL is the end, and not a failure.
#[inline(always)]
pub fn entry<T>(_: *mut T) -> Outcome {
    Outcome::Bytes(0)
}

/// An address; all bits set is a failure.
#[inline(always)]
pub fn address<T>(result: *mut T) -> Outcome {
    moved_none(result.addr() != usize::MAX)
}

/// 0, or an errno.
#[inline(always)]
pub fn error_number(result: c_int) -> Outcome {
    match result {
        0 => Outcome::Bytes(0),
        errno => Outcome::Failed(errno),
    }
}

/// thrd_success, or why not. That is counted as the most similar errno.
#[inline(always)]
pub fn thread_result(result: c_int) -> Outcome {
    // The C library's <threads.h>.
    const SUCCESS: c_int = 0;
    const BUSY: c_int = 1;
    const NO_MEMORY: c_int = 3;
    const TIMED_OUT: c_int = 4;
    Outcome::Failed(match result {
        SUCCESS => return Outcome::Bytes(0),
        BUSY => libc::EBUSY,
        NO_MEMORY => libc::ENOMEM,
        TIMED_OUT => libc::ETIMEDOUT,
        _ => libc::EINVAL,
    })
}

/// 0, or why a name could not be resolved. That is counted as the most similar errno.
#[inline(always)]
pub fn resolution(result: c_int) -> Outcome {
    Outcome::Failed(match result {
        0 => return Outcome::Bytes(0),
        libc::EAI_SYSTEM => sys::errno(),
        libc::EAI_AGAIN => libc::EAGAIN,
        libc::EAI_NONAME | libc::EAI_NODATA => libc::ENOENT,
        libc::EAI_MEMORY => libc::ENOMEM,
        _ => libc::EINVAL,
    })
}

/// The result of a function that cannot fail.
#[inline(always)]
pub fn size(_: u32) -> Outcome {
    Outcome::Bytes(0)
}

/// The result of a function that returns nothing.
#[inline(always)]
pub fn nothing((): ()) -> Outcome {
    Outcome::Bytes(0)
}

/// 0 if the eight bytes of an eventfd were moved, else a failure.
#[inline(always)]
pub fn event(result: c_int) -> Outcome {
    match result {
        0 => Outcome::Bytes(8),
        _ => Outcome::Failed(sys::errno()),
    }
}

/// How many messages of an array were moved; -1 is a failure. With MSG_TRUNC in `flags`, no more bytes of each message
/// were moved than it has room for.
#[inline(always)]
pub fn messages(result: c_int, array: *const mmsghdr, flags: c_int) -> Outcome {
    let Ok(count) = usize::try_from(result) else {
        return Outcome::Failed(sys::errno());
    };
    Outcome::Bytes(moved_in(array, count, flags))
}

/// Not inlined, so that a hook takes less of the stack while it makes its call.
#[inline(never)]
fn moved_in(array: *const mmsghdr, count: usize, flags: c_int) -> u64 {
    let mut sum: u64 = 0;
    let add = |message: mmsghdr| {
        let length = u64::from(message.msg_len);
        if flags & libc::MSG_TRUNC == 0 {
            sum = sum.wrapping_add(length);
            return;
        }
        let room = Vector::new(message.msg_hdr.msg_iov, message.msg_hdr.msg_iovlen).sum();
        sum = sum.wrapping_add(length.min(room));
    };
    // If it is gone, its lengths are not known.
    each_after(array, count, add).map_or(0, |()| sum)
}

#[inline(always)]
fn moved_none(succeeded: bool) -> Outcome {
    if succeeded {
        Outcome::Bytes(0)
    } else {
        Outcome::Failed(sys::errno())
    }
}
