//! Calls that send, in two parts: until everything is sent, as blocking calls do.

use std::ffi::{c_int, c_uint, c_void};

use libc::{mmsghdr, msghdr, size_t, ssize_t};

use super::WaitMode;
use super::observing::{observe, observe_unless_ready};
use super::transfer::{Patience, Verdict, add, fail, once_ready, would_block};
use super::vector::Vector;
use super::waiting::TwoPhaseCall;
use crate::files::records::Direction;
use crate::files::records::{self, Class};

/// How many bytes a pipe takes without blocking if poll says that it is ready (pipe(7), PIPE_BUF).
pub const PIPE_BUF: usize = libc::PIPE_BUF;

/// With one of these flags a call never waits, or waits in another way.
const APART: c_int = libc::MSG_DONTWAIT | libc::MSG_FASTOPEN;

/// Sends all `size` bytes to a socket. `now` sends the bytes after the given number, with additional flags; `next`
/// makes the call as the program did.
#[inline(always)]
pub fn send(
    parts: &TwoPhaseCall,
    fd: c_int,
    flags: c_int,
    size: size_t,
    now: impl Fn(size_t, c_int) -> ssize_t,
    next: impl Fn() -> ssize_t,
) -> ssize_t {
    if records::class(fd) != Class::Socket {
        return next();
    }
    send_to_socket(parts, fd, flags, |done| size - done, now, next)
}

/// The same for any descriptor. `piece` writes: the first argument is how many bytes to skip, the second is how many to
/// write.
#[inline(always)]
pub fn write(
    parts: &TwoPhaseCall,
    fd: c_int,
    size: size_t,
    now: impl Fn(size_t, c_int) -> ssize_t,
    piece: impl Fn(size_t, size_t) -> ssize_t,
    next: impl Fn() -> ssize_t,
) -> ssize_t {
    loop {
        match class_to_write(parts, fd, size) {
            Class::Unwaitable => return next(),
            Class::Socket => {
                let result = send_to_socket(parts, fd, 0, |done| size - done, &now, &next);
                if !records::is_no_socket(fd, result < 0) {
                    return result;
                }
            }
            class => return write_to_other(parts, fd, class, size, piece, next),
        }
    }
}

/// The class of a descriptor to which `size` bytes are to be written. Before a write to a pipe is divided, the kernel
/// is asked: if the descriptor is not a pipe any more, the pieces would have another effect than one write.
#[inline(never)]
fn class_to_write(parts: &TwoPhaseCall, fd: c_int, size: size_t) -> Class {
    match records::class(fd) {
        Class::Pipe if size > PIPE_BUF && parts.way() != WaitMode::Thread => records::class_now(fd),
        class => class,
    }
}

/// Sends to a socket until everything is sent. `left` returns how many bytes the next call of `now` is to send, given
/// how many were sent; 0 if that is all. Inlined, because each frame above a wait takes part of a stack that may be
/// small.
#[inline(always)]
fn send_to_socket(
    parts: &TwoPhaseCall,
    fd: c_int,
    flags: c_int,
    left: impl Fn(size_t) -> size_t,
    now: impl Fn(size_t, c_int) -> ssize_t,
    next: impl Fn() -> ssize_t,
) -> ssize_t {
    if flags & APART != 0 {
        return next();
    }
    if parts.way() == WaitMode::Thread {
        return observe(parts, next);
    }
    let mut patience = Patience::new(fd, Direction::Out);
    let mut done = 0;
    loop {
        let result = now(done, libc::MSG_DONTWAIT | quiet(done));
        if !would_block(result) {
            patience.moved();
            if let Some(result) = add(parts, &mut done, result) {
                return result;
            }
            if left(done) == 0 {
                return done as ssize_t;
            }
        }
        let failed = |errno| {
            if done > 0 {
                done as ssize_t
            } else {
                fail(errno)
            }
        };
        match patience.wait(parts) {
            Verdict::Again => {}
            Verdict::Nonblocking => return failed(libc::EAGAIN),
            Verdict::AsItIs => return next(),
            Verdict::Failed(errno) => return failed(errno),
        }
    }
}

/// The flag with which a call that has sent something raises no SIGPIPE if it then fails.
fn quiet(done: size_t) -> c_int {
    if done > 0 { libc::MSG_NOSIGNAL } else { 0 }
}

/// Writes to what cannot be tried without blocking. In a coroutine, a write to a pipe is made in pieces that do not
/// block if poll says that the pipe is ready.
#[inline(never)]
fn write_to_other(
    parts: &TwoPhaseCall,
    fd: c_int,
    class: Class,
    size: size_t,
    piece: impl Fn(size_t, size_t) -> ssize_t,
    next: impl Fn() -> ssize_t,
) -> ssize_t {
    if parts.way() == WaitMode::Thread {
        return if size <= PIPE_BUF {
            observe_unless_ready(parts, fd, Direction::Out, next)
        } else {
            observe(parts, next)
        };
    }
    let is_whole = size <= PIPE_BUF || class != Class::Pipe || is_nonblocking(fd, class);
    let mut done = 0;
    loop {
        let most = if is_whole {
            size
        } else {
            (size - done).min(PIPE_BUF)
        };
        let some = || {
            if is_whole { next() } else { piece(done, most) }
        };
        let result = once_ready(parts, fd, class, Direction::Out, most, some);
        if is_whole {
            return result;
        }
        if let Some(result) = add(parts, &mut done, result) {
            return result;
        }
        if done >= size {
            return done as ssize_t;
        }
    }
}

/// Whether a write to a descriptor fails if it would have to wait.
#[inline(never)]
fn is_nonblocking(fd: c_int, class: Class) -> bool {
    records::mode(fd, class, Direction::Out).is_ok_and(|mode| mode.is_nonblocking)
}

/// Writes all bytes of a vector. `now` sends to a socket from its beginning, with additional flags; `rest` sends the
/// given bytes; `some` writes another vector to what is not a socket.
///
/// # Safety
/// The same contract as writev(2). The vector may be unreadable.
#[inline(always)]
pub unsafe fn write_parts(
    parts: &TwoPhaseCall,
    fd: c_int,
    vector: Vector,
    now: impl Fn(c_int) -> ssize_t,
    rest: impl Fn(*mut c_void, size_t, c_int) -> ssize_t,
    some: impl Fn(Vector) -> ssize_t,
    next: impl Fn() -> ssize_t,
) -> ssize_t {
    if records::class(fd) == Class::Unwaitable {
        return next();
    }
    if parts.way() == WaitMode::Thread {
        return observe(parts, next);
    }
    // The real call returns the error of a bad vector, and the result of an empty one: sending has other rules for
    // both.
    let size = match vector.checked_size() {
        Some(size) if size > 0 && vector.count <= Vector::MOST => size,
        _ => return next(),
    };
    loop {
        match class_to_write(parts, fd, size) {
            Class::Unwaitable => return next(),
            Class::Socket => {
                // SAFETY: the caller keeps the contract of writev, and `checked_size` has just read the vector.
                let result = unsafe { send_parts(parts, fd, 0, || vector, &now, &rest, &next) };
                if !records::is_no_socket(fd, result < 0) {
                    return result;
                }
            }
            class => {
                // SAFETY: `checked_size` has just read the vector.
                let piece =
                    |done, most| unsafe { vector.write_some(done, most, &some) }.unwrap_or(0);
                return write_to_other(parts, fd, class, size, piece, next);
            }
        }
    }
}

/// Sends all bytes of a vector to a socket. `now` sends from its beginning, with additional flags; `rest` sends the
/// given bytes.
///
/// # Safety
/// The same contract as sendmsg(2). The message and the vector may be unreadable.
#[inline(always)]
pub unsafe fn send_parts(
    parts: &TwoPhaseCall,
    fd: c_int,
    flags: c_int,
    vector: impl Fn() -> Vector,
    now: impl Fn(c_int) -> ssize_t,
    rest: impl Fn(*mut c_void, size_t, c_int) -> ssize_t,
    next: impl Fn() -> ssize_t,
) -> ssize_t {
    if records::class(fd) != Class::Socket {
        return next();
    }
    let now = |done, more| {
        if done > 0 {
            // SAFETY: some of it was sent, so the kernel has read the vector.
            return match unsafe { vector().rest_after(done) } {
                Some((from, size)) => rest(from, size, more),
                None => 0,
            };
        }
        now(more)
    };
    // SAFETY: this is called only after some of it was sent, so the kernel has read the vector.
    let left = |done| unsafe { vector().rest_after(done) }.map_or(0, |(_, size)| size);
    send_to_socket(parts, fd, flags, left, now, next)
}

/// Sends messages one after the other by `one`, and writes into each how many bytes were sent.
///
/// # Safety
/// The same contract as sendmmsg(2).
pub unsafe fn send_many(
    parts: &TwoPhaseCall,
    fd: c_int,
    messages: *mut mmsghdr,
    count: c_uint,
    flags: c_int,
    one: impl Fn(&TwoPhaseCall, *const msghdr) -> ssize_t,
    next: impl Fn() -> c_int,
) -> c_int {
    if flags & libc::MSG_DONTWAIT != 0 || records::class(fd) != Class::Socket {
        return next();
    }
    if parts.way() == WaitMode::Thread {
        return observe(parts, next);
    }
    // The kernel sends no more than this (UIO_MAXIOV).
    let count = count.min(1024);
    for index in 0..count {
        // SAFETY: the caller guarantees that the array has `count` elements.
        let message = unsafe { messages.add(index as usize) };
        // SAFETY: this only computes an address within the element.
        let sent = one(parts, unsafe { &raw const (*message).msg_hdr });
        match c_uint::try_from(sent) {
            // SAFETY: the caller guarantees the array, and the kernel would write this field, too.
            Ok(bytes) => unsafe { (&raw mut (*message).msg_len).write_unaligned(bytes) },
            Err(_) if index > 0 => return index as c_int,
            Err(_) => return -1,
        }
    }
    count as c_int
}
