//! Calls that receive, in two parts.

use std::ffi::{c_int, c_uint};

use libc::{size_t, ssize_t};

use super::WaitMode;
use super::observing::{observe, observe_unless_ready, receive_after_try};
use super::transfer::{Patience, Verdict, add, fail, once_ready, would_block};
use super::vector::Vector;
use super::waiting::{SOON_NS, TwoPhaseCall};
use crate::files::records::Direction;
use crate::files::records::{self, Class};
use crate::program_memory;
use crate::sys::Deadline;
use crate::sys::waiting;

/// With one of these flags a call never waits.
const NEVER_WAITS: c_int = libc::MSG_DONTWAIT | libc::MSG_ERRQUEUE | libc::MSG_OOB;

/// Receives up to `size` bytes. `now` makes the call with additional flags; `next` makes it as the program did. `flags`
/// are the program's.
///
/// This function, and those that it calls, are inlined into the one place that makes the call: the coroutine's stack
/// may be small, and each frame above a wait takes part of it.
#[inline(always)]
pub fn receive(
    parts: &TwoPhaseCall,
    fd: c_int,
    flags: c_int,
    size: size_t,
    now: impl Fn(c_int) -> ssize_t,
    next: impl Fn() -> ssize_t,
) -> ssize_t {
    let mut patience = Patience::new(fd, Direction::In);
    receive_with(&mut patience, parts, fd, flags, size, now, next)
}

#[inline(always)]
fn receive_with(
    patience: &mut Patience,
    parts: &TwoPhaseCall,
    fd: c_int,
    flags: c_int,
    size: size_t,
    now: impl Fn(c_int) -> ssize_t,
    next: impl Fn() -> ssize_t,
) -> ssize_t {
    if flags & NEVER_WAITS != 0 {
        return next();
    }
    loop {
        let class = records::class(fd);
        let result = receive_from(class, patience, parts, fd, flags, size, &now, &next);
        if class != Class::Socket || !records::is_no_socket(fd, result < 0) {
            return result;
        }
    }
}

/// Receives from a descriptor of this class.
#[expect(
    clippy::too_many_arguments,
    reason = "what is called in place of a call"
)]
#[inline(always)]
fn receive_from(
    class: Class,
    patience: &mut Patience,
    parts: &TwoPhaseCall,
    fd: c_int,
    flags: c_int,
    size: size_t,
    now: impl Fn(c_int) -> ssize_t,
    next: impl Fn() -> ssize_t,
) -> ssize_t {
    match (class, parts.way()) {
        (Class::Unwaitable, _) => next(),
        (Class::Socket, WaitMode::Thread) => {
            // With MSG_WAITALL or a low-water mark, a try may return less than the call would.
            if flags & libc::MSG_WAITALL != 0 || records::has_low_water() {
                return observe(parts, next);
            }
            let result = now(libc::MSG_DONTWAIT);
            if would_block(result) {
                return receive_after_try(parts, fd, next);
            }
            result
        }
        (Class::Pipe | Class::Other, WaitMode::Thread) => {
            observe_unless_ready(parts, fd, Direction::In, next)
        }
        (Class::Pipe | Class::Other, WaitMode::Coroutine(_)) => {
            once_ready(parts, fd, class, Direction::In, size, next)
        }
        (Class::Socket, WaitMode::Coroutine(_)) => {
            receive_by_tries(patience, parts, fd, size, now, next)
        }
    }
}

/// Receives from a socket in a coroutine.
#[inline(always)]
fn receive_by_tries(
    patience: &mut Patience,
    parts: &TwoPhaseCall,
    fd: c_int,
    size: size_t,
    now: impl Fn(c_int) -> ssize_t,
    next: impl Fn() -> ssize_t,
) -> ssize_t {
    // No try if each call is expected to wait for an answer: the try would be a call too many. No try either if a
    // low-water mark may be set: the try would not wait for it.
    let mut is_tried = !records::expects_wait(fd) && !records::has_low_water();
    loop {
        if is_tried {
            let result = now(libc::MSG_DONTWAIT);
            if !would_block(result) {
                patience.moved();
                let is_short = (1..size as ssize_t).contains(&result);
                records::expect_wait(fd, is_short || parts.has_waited());
                return result;
            }
        }
        match patience.wait(parts) {
            Verdict::Again => is_tried = true,
            // The call itself returns the error.
            Verdict::Nonblocking if !is_tried => is_tried = true,
            Verdict::Nonblocking => return fail(libc::EAGAIN),
            Verdict::AsItIs => return next(),
            Verdict::Failed(errno) => return fail(errno),
        }
    }
}

/// Reads up to `size` bytes. If `size` is 0, a read of a socket does not wait either.
#[inline(always)]
pub fn read(
    parts: &TwoPhaseCall,
    fd: c_int,
    size: size_t,
    now: impl Fn(c_int) -> ssize_t,
    next: impl Fn() -> ssize_t,
) -> ssize_t {
    if size == 0 {
        return next();
    }
    receive(parts, fd, 0, size, now, next)
}

/// Reads into a vector. `now` receives into it from a socket, with additional flags.
#[inline(always)]
pub fn read_parts(
    parts: &TwoPhaseCall,
    fd: c_int,
    vector: Vector,
    now: impl Fn(c_int) -> ssize_t,
    next: impl Fn() -> ssize_t,
) -> ssize_t {
    if records::class(fd) == Class::Unwaitable {
        return next();
    }
    if parts.way() == WaitMode::Thread {
        return observe_unless_ready(parts, fd, Direction::In, next);
    }
    // The real call returns the error of a bad vector, and the result of an empty one: receiving has other rules for
    // both.
    match vector.checked_size() {
        Some(size) if size > 0 && vector.count <= Vector::MOST => {
            receive(parts, fd, 0, size, now, next)
        }
        _ => next(),
    }
}

/// Receives up to `size` bytes; with MSG_WAITALL in `flags`, all of them, unless the stream ends or fails first. `now`
/// makes the call for the bytes after the given number, with additional flags.
#[inline(always)]
pub fn receive_parts(
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
    let is_done = |done| done >= size;
    receive_all(parts, fd, flags, size, |_| size, is_done, now, next)
}

/// Receives from a socket; with MSG_WAITALL in `flags`, until everything has arrived. Sizes are in bytes:
///
/// - `to_wait_for` is how much one wait is for, if the call does not ask for everything;
/// - `size` returns how much the call asks for, given its result;
/// - `is_done` returns whether so many bytes are everything;
/// - `now` makes the call for the bytes after the given number, with additional flags.
#[expect(
    clippy::too_many_arguments,
    reason = "what is called in place of a call"
)]
#[inline(always)]
fn receive_all(
    parts: &TwoPhaseCall,
    fd: c_int,
    flags: c_int,
    to_wait_for: size_t,
    size: impl Fn(ssize_t) -> size_t,
    is_done: impl Fn(usize) -> bool,
    now: impl Fn(size_t, c_int) -> ssize_t,
    next: impl Fn() -> ssize_t,
) -> ssize_t {
    let all = all_of(parts, fd, flags);
    let to_wait_for = if all == All::NotAsked { to_wait_for } else { 0 };
    let mut patience = Patience::new(fd, Direction::In);
    let mut done = 0;
    loop {
        let from = done;
        let now = |more| now(from, more);
        let result = receive_with(&mut patience, parts, fd, flags, to_wait_for, now, &next);
        match all {
            All::NotAsked => return result,
            All::Shown => {
                if is_shown(&mut patience, fd, result, size(result)) || !looks_again(parts) {
                    return result;
                }
            }
            All::Received => {
                if let Some(result) = add(parts, &mut done, result) {
                    return result;
                }
                if is_done(done) {
                    return done as ssize_t;
                }
            }
        }
    }
}

/// Whether a call in a coroutine must receive everything before it returns.
#[derive(Clone, Copy, PartialEq, Eq)]
enum All {
    NotAsked,
    /// It returns when everything has been received.
    Received,
    /// It returns when everything has arrived and can be peeked at. Only repeated calls show that.
    Shown,
}

#[inline(never)]
fn all_of(parts: &TwoPhaseCall, fd: c_int, flags: c_int) -> All {
    let is_asked = flags & libc::MSG_WAITALL != 0
        && flags & NEVER_WAITS == 0
        && parts.way() != WaitMode::Thread
        && waiting::is_stream(fd);
    match flags & libc::MSG_PEEK != 0 {
        _ if !is_asked => All::NotAsked,
        false => All::Received,
        // For MSG_PEEK only TCP waits for everything; other protocols return what there is.
        true if waiting::is_tcp(fd) => All::Shown,
        true => All::NotAsked,
    }
}

/// Whether a call with MSG_PEEK has returned all `size` bytes, or no more will arrive.
#[inline(never)]
fn is_shown(patience: &mut Patience, fd: c_int, result: ssize_t, size: size_t) -> bool {
    result <= 0
        || result >= size as ssize_t
        || waiting::poll_now(fd, libc::POLLRDHUP) != 0
        || patience.has_ended()
}

/// Waits for [`SOON_NS`] before the next call with MSG_PEEK. Returns false if that fails.
#[inline(always)]
fn looks_again(parts: &TwoPhaseCall) -> bool {
    parts.sleep(SOON_NS).is_ok()
}

/// Receives a message: `now` makes the call with additional flags. With MSG_WAITALL, a stream is received until the
/// vector is full; `rest` receives so many bytes more.
///
/// # Safety
/// The same contract as recvmsg(2). `vector` may be called only after the kernel has read the message.
#[inline(always)]
pub unsafe fn receive_message(
    parts: &TwoPhaseCall,
    fd: c_int,
    flags: c_int,
    vector: impl Fn() -> Vector,
    now: impl Fn(c_int) -> ssize_t,
    rest: impl Fn(*mut std::ffi::c_void, size_t, c_int) -> ssize_t,
    next: impl Fn() -> ssize_t,
) -> ssize_t {
    if records::class(fd) != Class::Socket {
        return next();
    }
    // SAFETY: `vector` is called only if the call succeeded, so the kernel has read the message and its vector.
    let size = |result| unsafe { if result > 0 { vector().size() } else { 0 } };
    // SAFETY: this is called only after something was received, so the kernel has read the message and its vector.
    let rest_after = |done| unsafe { vector().rest_after(done) };
    let is_done = |done| rest_after(done).is_none();
    let now = |from, more| match from {
        0 => now(more),
        _ => rest_after(from).map_or(0, |(to, size)| rest(to, size, more)),
    };
    receive_all(parts, fd, flags, 0, size, is_done, now, next)
}

/// Receives up to `count` messages. `now` receives messages from the given index on, with additional flags.
///
/// # Safety
/// The same contract as recvmmsg(2).
pub unsafe fn receive_many(
    parts: &TwoPhaseCall,
    fd: c_int,
    count: c_uint,
    flags: c_int,
    timeout: *mut libc::timespec,
    now: impl Fn(c_uint, c_int) -> c_int,
    next: impl Fn() -> c_int,
) -> c_int {
    if flags & NEVER_WAITS != 0 || records::class(fd) != Class::Socket {
        return next();
    }
    if parts.way() == WaitMode::Thread {
        return observe(parts, next);
    }
    let bound = program_memory::read(timeout);
    let is_time =
        |time: libc::timespec| time.tv_sec >= 0 && (0..1_000_000_000).contains(&time.tv_nsec);
    if !timeout.is_null() && !bound.is_some_and(is_time) {
        return next();
    }
    // As in the kernel, the timeout is checked only after each message (recvmmsg(2), BUGS).
    let deadline = Deadline::after(bound.map(super::poll_and_sleep::ns_of));
    let mut patience = Patience::new(fd, Direction::In);
    let mut done = 0;
    let result = loop {
        let from = done as c_uint;
        let next = || if from == 0 { next() } else { now(from, 0) };
        let now = |more| now(from, more) as ssize_t;
        let next = || next() as ssize_t;
        let result = receive_with(&mut patience, parts, fd, flags, 0, now, next);
        if let Some(result) = add(parts, &mut done, result) {
            break result as c_int;
        }
        let is_enough = done >= count as usize || flags & libc::MSG_WAITFORONE != 0;
        if is_enough || deadline.has_passed() {
            break done as c_int;
        }
    };
    if let Some(left) = deadline.left_ns()
        && result >= 0
    {
        let left = libc::timespec {
            tv_sec: (left / 1_000_000_000) as i64,
            tv_nsec: (left % 1_000_000_000) as i64,
        };
        // The messages have come, whether or not the program learns this.
        waiting::put(timeout, left);
    }
    result
}

/// Reads an eventfd, or adds to it, by `next`.
#[inline(always)]
pub fn event(
    parts: &TwoPhaseCall,
    fd: c_int,
    direction: Direction,
    next: impl Fn() -> c_int,
) -> c_int {
    match (records::class(fd), parts.way()) {
        (Class::Unwaitable, _) => next(),
        (_, WaitMode::Thread) => observe_unless_ready(parts, fd, direction, next),
        (class, _) => once_ready(parts, fd, class, direction, 8, || next() as ssize_t) as c_int,
    }
}
