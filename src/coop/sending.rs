//! Calls that send, in parts: until all is sent, as a call that blocks does.

use std::ffi::{c_int, c_uint, c_void};

use libc::{mmsghdr, msghdr, size_t, ssize_t};

use super::WaitMode;
use super::observing::{observe, observe_unless_ready};
use super::transfer::{Patience, Verdict, add, fail, once_ready, would_block};
use super::vector::Vector;
use super::waiting::TwoPhaseCall;
use crate::files::records::Direction;
use crate::files::records::{self, Class};

/// So much may always be written to a pipe without blocking where poll says that anything may (pipe(7), PIPE_BUF).
pub const PIPE_BUF: usize = libc::PIPE_BUF;

/// With these a call never waits, or not as one without.
const APART: c_int = libc::MSG_DONTWAIT | libc::MSG_FASTOPEN;

/// Sends all of `size` bytes by a socket: `now` is told from where on, and flags more; `next` is the call as the program
/// made it.
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

/// The same for what may be no socket: `piece` writes from where on, and how many.
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

/// What a descriptor leads to that is to be written so much to. Before it is done in pieces the kernel is asked: of
/// what is no pipe any more, they would be something else.
#[inline(never)]
fn class_to_write(parts: &TwoPhaseCall, fd: c_int, size: size_t) -> Class {
    match records::class(fd) {
        Class::Pipe if size > PIPE_BUF && parts.way() != WaitMode::Thread => records::class_now(fd),
        class => class,
    }
}

/// Sends to a socket until all has been sent: `left` is told how much has been, and says how much the next call of `now`
/// is to send. Inlined into what performs a call: each frame that is above a wait is as much less for the program.
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

/// A call that has sent something raises no SIGPIPE when it cannot go on.
fn quiet(done: size_t) -> c_int {
    if done > 0 { libc::MSG_NOSIGNAL } else { 0 }
}

/// Writes to what cannot be tried: to a pipe in a coroutine in pieces that do not block where poll says that anything may
/// be written.
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

/// Whether a write to a descriptor fails where it would have to wait.
#[inline(never)]
fn is_nonblocking(fd: c_int, class: Class) -> bool {
    records::mode(fd, class, Direction::Out).is_ok_and(|mode| mode.is_nonblocking)
}

/// Writes all that a vector leads to. `now` sends it from its beginning, with flags more; `rest` sends some bytes;
/// `some`, for what is no socket, writes another vector.
///
/// # Safety
/// As of writev(2). The vector may not be readable.
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
    // What is wrong with it, and that it is empty, is for the call to say: sending has other rules.
    let size = match vector.checked_size() {
        Some(size) if size > 0 && vector.count <= Vector::MOST => size,
        _ => return next(),
    };
    loop {
        match class_to_write(parts, fd, size) {
            Class::Unwaitable => return next(),
            Class::Socket => {
                // SAFETY: as the caller promises.
                let result = unsafe { send_parts(parts, fd, 0, || vector, &now, &rest, &next) };
                if !records::is_no_socket(fd, result < 0) {
                    return result;
                }
            }
            class => {
                // SAFETY: it has just been read.
                let piece =
                    |done, most| unsafe { vector.write_some(done, most, &some) }.unwrap_or(0);
                return write_to_other(parts, fd, class, size, piece, next);
            }
        }
    }
}

/// Sends all that a vector leads to. `now` sends it from its beginning, with flags more; `rest` sends some bytes.
///
/// # Safety
/// As of sendmsg(2). What holds the vector, and that, may not be readable.
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
            // SAFETY: the kernel has read it.
            return match unsafe { vector().rest_after(done) } {
                Some((from, size)) => rest(from, size, more),
                None => 0,
            };
        }
        now(more)
    };
    // SAFETY: as above: it is asked for where some of it was sent.
    let left = |done| unsafe { vector().rest_after(done) }.map_or(0, |(_, size)| size);
    send_to_socket(parts, fd, flags, left, now, next)
}

/// Sends messages one after the other, each by `one`, which writes down how much it has sent.
///
/// # Safety
/// As of sendmmsg(2).
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
    // UIO_MAXIOV of the kernel: more are cut.
    let count = count.min(1024);
    for index in 0..count {
        // SAFETY: as the caller promises: the array has as many.
        let message = unsafe { messages.add(index as usize) };
        // SAFETY: computes an address.
        let sent = one(parts, unsafe { &raw const (*message).msg_hdr });
        match c_uint::try_from(sent) {
            // SAFETY: the kernel would write it.
            Ok(bytes) => unsafe { (&raw mut (*message).msg_len).write_unaligned(bytes) },
            Err(_) if index > 0 => return index as c_int,
            Err(_) => return -1,
        }
    }
    count as c_int
}
