//! Calls that receive, in parts.

use std::ffi::{c_int, c_uint};

use libc::{size_t, ssize_t};

use super::Way;
use super::records::{self, Class};
use super::transfer::{Direction, Patience, Verdict, add, fail, once_ready, would_block};
use super::waiting::{Parts, deadline_in, left_ns};
use crate::sys::waiting;

/// Receives up to `size` bytes (0 where it is not known how many): `now` with flags more, or `next` as the program
/// asked for it. `flags` are the program's.
pub fn receive(
    parts: &Parts,
    fd: c_int,
    flags: c_int,
    size: size_t,
    now: impl Fn(c_int) -> ssize_t,
    next: impl Fn() -> ssize_t,
) -> ssize_t {
    // These never wait.
    if flags & (libc::MSG_DONTWAIT | libc::MSG_ERRQUEUE | libc::MSG_OOB) != 0 {
        return next();
    }
    match records::class(fd) {
        Class::Unwaitable => next(),
        Class::Other => once_ready(parts, fd, Direction::In, next),
        Class::Socket => {
            let mut patience = Patience::new(fd, Direction::In);
            // Where each call has to wait for an answer, the try is a call too many.
            let mut is_tried = parts.way() == Way::Thread || !records::expects_wait(fd);
            loop {
                if is_tried {
                    let result = now(libc::MSG_DONTWAIT);
                    if !would_block(result) {
                        let is_short = (1..size as ssize_t).contains(&result);
                        records::expect_wait(fd, is_short || parts.has_waited());
                        return result;
                    }
                }
                match patience.wait(parts) {
                    Verdict::Again => is_tried = true,
                    Verdict::Nonblocking if is_tried => return fail(libc::EAGAIN),
                    Verdict::Nonblocking => return next(),
                    Verdict::Left => return parts.waiting(&next),
                    Verdict::Failed(errno) => return fail(errno),
                }
            }
        }
    }
}

/// Receives all of `size` bytes, if MSG_WAITALL is among `flags` and no end or error comes before; `now` is told from
/// where on, and flags more.
pub fn receive_parts(
    parts: &Parts,
    fd: c_int,
    flags: c_int,
    size: size_t,
    now: impl Fn(size_t, c_int) -> ssize_t,
    next: impl Fn() -> ssize_t,
) -> ssize_t {
    let is_whole = flags & libc::MSG_WAITALL != 0 && flags & libc::MSG_PEEK == 0;
    if !is_whole {
        return receive(parts, fd, flags, size, |more| now(0, more), next);
    }
    let mut done = 0;
    loop {
        // What is not there yet is waited for here; a wait that is left to the kernel is for what is missing.
        let from = done;
        let next = || if from == 0 { next() } else { now(from, 0) };
        let result = receive(parts, fd, flags, 0, |more| now(from, more), next);
        if let Some(result) = add(&mut done, result) {
            return result;
        }
        if done >= size || records::class(fd) != Class::Socket || !waiting::is_stream(fd) {
            return done as ssize_t;
        }
    }
}

/// Receives messages one after the other; `one` receives the next, with flags more, or all that are there.
///
/// # Safety
/// As of recvmmsg(2).
pub unsafe fn receive_many(
    parts: &Parts,
    fd: c_int,
    count: c_uint,
    flags: c_int,
    timeout: *const libc::timespec,
    now: impl Fn(c_uint, c_int) -> c_int,
    next: impl Fn() -> c_int,
) -> c_int {
    let never_waits = libc::MSG_DONTWAIT | libc::MSG_ERRQUEUE;
    if flags & never_waits != 0 || records::class(fd) != Class::Socket {
        return next();
    }
    // The time is looked at after each message only (recvmmsg(2), BUGS).
    // SAFETY: as the caller promises, NULL or a time.
    let bound = unsafe { timeout.as_ref() };
    let deadline = deadline_in(bound.map(|time| super::many::ns_of(*time)));
    let mut done = 0;
    loop {
        let from = done as c_uint;
        let next = || if from == 0 { next() } else { now(from, 0) };
        let now = |more| now(from, more) as ssize_t;
        let result = receive(parts, fd, flags, 0, now, || next() as ssize_t);
        if let Some(result) = add(&mut done, result) {
            return result as c_int;
        }
        let is_enough = done >= count as usize || flags & libc::MSG_WAITFORONE != 0;
        if is_enough || left_ns(deadline) == Some(0) {
            return done as c_int;
        }
    }
}
