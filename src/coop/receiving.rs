//! Calls that receive, in parts.

use std::ffi::{c_int, c_uint};

use libc::{size_t, ssize_t};

use super::WaitMode;
use super::observing::{observe, observe_unless_ready, receive_after_try};
use super::transfer::{Patience, Verdict, add, fail, once_ready, would_block};
use super::vector::Vector;
use super::waiting::{SOON_NS, TwoPhaseCall};
use crate::files::records::Direction;
use crate::files::records::{self, Class};
use crate::sys::Deadline;
use crate::sys::waiting;

/// With these a call never waits.
const NEVER_WAITS: c_int = libc::MSG_DONTWAIT | libc::MSG_ERRQUEUE | libc::MSG_OOB;

/// Receives up to `size` bytes: `now` with flags more, or `next` as the program asked for it. `flags` are the program's.
///
/// This and what it calls is inlined into what performs a call, which calls it in one place: each frame that is above a wait
/// is as much less for the program.
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

/// Receives from what is of this class.
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
            // A try finds less than these ask for.
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
    // Where each call has to wait for an answer, the try is a call too many; where it may ask for more than a byte, it is
    // not asked for that.
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
            // What it fails with is for the call to say.
            Verdict::Nonblocking if !is_tried => is_tried = true,
            Verdict::Nonblocking => return fail(libc::EAGAIN),
            Verdict::AsItIs => return next(),
            Verdict::Failed(errno) => return fail(errno),
        }
    }
}

/// Reads up to `size` bytes. Where none are asked for, sockets too have nothing to wait for.
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

/// Reads what a vector has room for; `now` receives it from a socket.
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
    // What is wrong with it, and that it is empty, is for the call to say: receiving has other rules.
    match vector.checked_size() {
        Some(size) if size > 0 && vector.count <= Vector::MOST => {
            receive(parts, fd, 0, size, now, next)
        }
        _ => next(),
    }
}

/// Receives all of `size` bytes, if MSG_WAITALL is among `flags` and no end or error comes before; `now` is told from
/// where on, and flags more.
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

/// Receives from a socket until all has come that is asked for, where that is so. `now` receives from a place on, with flags
/// more; `size` is how much is asked for, after a call with this result; `is_done`, whether so much is all of it. `to_wait_for`
/// is how much a wait is for, where not all is asked for.
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

/// Whether a call is to return in a coroutine with all that it asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum All {
    NotAsked,
    /// Once all has been received.
    Received,
    /// Once all is there to be looked at. Nothing tells when that is so but looking again.
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
        // What is looked at only has to be there in TCP alone; others show what there is.
        true if waiting::is_tcp(fd) => All::Shown,
        true => All::NotAsked,
    }
}

/// Whether what has been shown is all of `size` bytes, or there will be no more.
#[inline(never)]
fn is_shown(patience: &mut Patience, fd: c_int, result: ssize_t, size: size_t) -> bool {
    result <= 0
        || result >= size as ssize_t
        || waiting::poll_now(fd, libc::POLLRDHUP) != 0
        || patience.has_ended()
}

/// Lets some time pass before what is there is looked at again. False where that cannot be.
#[inline(always)]
fn looks_again(parts: &TwoPhaseCall) -> bool {
    parts.sleep(SOON_NS).is_ok()
}

/// Receives a message: `now` with flags more. With MSG_WAITALL from a stream until its vector is full; `rest` receives
/// some more bytes.
///
/// # Safety
/// As of recvmsg(2): `vector` is called once the kernel has read it.
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
    // SAFETY: as the caller promises: the call has just read it, unless it failed.
    let size = |result| unsafe { if result > 0 { vector().size() } else { 0 } };
    // SAFETY: as the caller promises, it has received something.
    let rest_after = |done| unsafe { vector().rest_after(done) };
    let is_done = |done| rest_after(done).is_none();
    let now = |from, more| match from {
        0 => now(more),
        _ => rest_after(from).map_or(0, |(to, size)| rest(to, size, more)),
    };
    receive_all(parts, fd, flags, 0, size, is_done, now, next)
}

/// Receives messages one after the other; `one` receives the next, with flags more, or all that are there.
///
/// # Safety
/// As of recvmmsg(2).
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
    // SAFETY: as the caller promises, NULL or a time.
    let bound = unsafe { timeout.as_mut() };
    let is_time =
        |time: &libc::timespec| time.tv_sec >= 0 && (0..1_000_000_000).contains(&time.tv_nsec);
    if bound.as_deref().is_some_and(|time| !is_time(time)) {
        return next();
    }
    // The time is looked at after each message only (recvmmsg(2), BUGS).
    let deadline = Deadline::after(
        bound
            .as_deref()
            .map(|time| super::poll_and_sleep::ns_of(*time)),
    );
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
    if let (Some(time), Some(left)) = (bound, deadline.left_ns())
        && result >= 0
    {
        time.tv_sec = (left / 1_000_000_000) as i64;
        time.tv_nsec = (left % 1_000_000_000) as i64;
    }
    result
}

/// Takes from an eventfd, by `next`, or adds to it.
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
