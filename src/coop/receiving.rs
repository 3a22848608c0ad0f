//! Calls that receive, in parts.

use std::ffi::{c_int, c_uint};

use libc::{size_t, ssize_t};

use super::Way;
use super::observing::{observe, observe_unless_ready, receive_after_try};
use super::records::{self, Class};
use super::transfer::{Direction, Patience, Verdict, add, fail, once_ready, would_block};
use super::vector::Vector;
use super::waiting::{Parts, SOON_NS, deadline_in, left_ns};
use crate::sys::waiting;

/// With these a call never waits.
const NEVER_WAITS: c_int = libc::MSG_DONTWAIT | libc::MSG_ERRQUEUE | libc::MSG_OOB;

/// Receives up to `size` bytes: `now` with flags more, or `next` as the program asked for it. `flags` are the program's.
pub fn receive(
    parts: &Parts,
    fd: c_int,
    flags: c_int,
    size: size_t,
    now: impl Fn(c_int) -> ssize_t,
    next: impl Fn() -> ssize_t,
) -> ssize_t {
    let mut patience = Patience::new(fd, Direction::In);
    receive_with(&mut patience, parts, fd, flags, size, now, next)
}

fn receive_with(
    patience: &mut Patience,
    parts: &Parts,
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
fn receive_from(
    class: Class,
    patience: &mut Patience,
    parts: &Parts,
    fd: c_int,
    flags: c_int,
    size: size_t,
    now: impl Fn(c_int) -> ssize_t,
    next: impl Fn() -> ssize_t,
) -> ssize_t {
    match (class, parts.way()) {
        (Class::Unwaitable, _) => next(),
        (Class::Socket, Way::Thread) => {
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
        (Class::Pipe | Class::Other, Way::Thread) => {
            observe_unless_ready(parts, fd, Direction::In, next)
        }
        (Class::Pipe | Class::Other, Way::Coroutine(_)) => {
            once_ready(parts, fd, class, Direction::In, size, next)
        }
        (Class::Socket, Way::Coroutine(_)) => {
            receive_by_tries(patience, parts, fd, size, now, next)
        }
    }
}

/// Receives from a socket in a coroutine.
#[inline(never)]
fn receive_by_tries(
    patience: &mut Patience,
    parts: &Parts,
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
pub fn read(
    parts: &Parts,
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
pub fn read_parts(
    parts: &Parts,
    fd: c_int,
    vector: Vector,
    now: impl Fn(c_int) -> ssize_t,
    next: impl Fn() -> ssize_t,
) -> ssize_t {
    if records::class(fd) == Class::Unwaitable {
        return next();
    }
    if parts.way() == Way::Thread {
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
pub fn receive_parts(
    parts: &Parts,
    fd: c_int,
    flags: c_int,
    size: size_t,
    now: impl Fn(size_t, c_int) -> ssize_t,
    next: impl Fn() -> ssize_t,
) -> ssize_t {
    if records::class(fd) != Class::Socket {
        return next();
    }
    if !waits_for_all(parts, fd, flags) {
        return receive(parts, fd, flags, size, |more| now(0, more), next);
    }
    let mut patience = Patience::new(fd, Direction::In);
    if flags & libc::MSG_PEEK != 0 {
        let now = |more| now(0, more);
        return peek_all(&mut patience, parts, fd, flags, || size, now, next);
    }
    let mut done = 0;
    loop {
        let from = done;
        let now = |more| now(from, more);
        let result = receive_with(&mut patience, parts, fd, flags, 0, now, &next);
        if let Some(result) = add(parts, &mut done, result) {
            return result;
        }
        if done >= size {
            return done as ssize_t;
        }
    }
}

/// Whether a call is to receive in a coroutine all that it asks for.
fn waits_for_all(parts: &Parts, fd: c_int, flags: c_int) -> bool {
    flags & libc::MSG_WAITALL != 0
        && flags & NEVER_WAITS == 0
        && parts.way() != Way::Thread
        && waiting::is_stream(fd)
        // What is looked at only has to be there in TCP alone; others show what there is.
        && (flags & libc::MSG_PEEK == 0 || waiting::is_tcp(fd))
}

/// Looks at what has been received until there is as much as is asked for, or there will be no more. Nothing tells when
/// that is so but looking again. `size` tells how much is asked for, once something was received.
#[inline(never)]
fn peek_all(
    patience: &mut Patience,
    parts: &Parts,
    fd: c_int,
    flags: c_int,
    size: impl Fn() -> size_t,
    now: impl Fn(c_int) -> ssize_t,
    next: impl Fn() -> ssize_t,
) -> ssize_t {
    let deadline = match records::mode(fd, Class::Socket, Direction::In) {
        Ok(mode) => mode.deadline(),
        Err(_) => return next(),
    };
    loop {
        let result = receive_with(patience, parts, fd, flags, 0, &now, &next);
        // The call has just read what tells how much it asks for.
        let is_all = result <= 0 || result >= size() as ssize_t;
        if is_all
            || waiting::poll_now(fd, libc::POLLRDHUP) != 0
            || left_ns(deadline) == Some(0)
            || parts.sleep(SOON_NS).is_err()
        {
            return result;
        }
    }
}

/// Receives a message: `now` with flags more. With MSG_WAITALL from a stream until its vector is full; `rest` receives
/// some more bytes.
///
/// # Safety
/// As of recvmsg(2): `vector` is called once the kernel has read it.
pub unsafe fn receive_message(
    parts: &Parts,
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
    let mut patience = Patience::new(fd, Direction::In);
    let waits_for_all = waits_for_all(parts, fd, flags);
    if waits_for_all && flags & libc::MSG_PEEK != 0 {
        // SAFETY: as the caller promises.
        let size = || unsafe { vector().size() };
        return peek_all(&mut patience, parts, fd, flags, size, now, next);
    }
    let result = receive_with(&mut patience, parts, fd, flags, 0, &now, &next);
    if result <= 0 || !waits_for_all {
        return result;
    }
    parts.has_moved();
    let mut done = result as size_t;
    loop {
        // SAFETY: as the caller promises, it has received something.
        let Some((to, size)) = (unsafe { vector().rest_after(done) }) else {
            return done as ssize_t;
        };
        let now = |more| rest(to, size, more);
        let result = receive_with(&mut patience, parts, fd, 0, 0, now, &next);
        if let Some(result) = add(parts, &mut done, result) {
            return result;
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
    timeout: *mut libc::timespec,
    now: impl Fn(c_uint, c_int) -> c_int,
    next: impl Fn() -> c_int,
) -> c_int {
    if flags & NEVER_WAITS != 0 || records::class(fd) != Class::Socket {
        return next();
    }
    if parts.way() == Way::Thread {
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
    let deadline = deadline_in(bound.as_deref().map(|time| super::many::ns_of(*time)));
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
        if is_enough || left_ns(deadline) == Some(0) {
            break done as c_int;
        }
    };
    if let (Some(time), Some(left)) = (bound, left_ns(deadline))
        && result >= 0
    {
        time.tv_sec = (left / 1_000_000_000) as i64;
        time.tv_nsec = (left % 1_000_000_000) as i64;
    }
    result
}

/// Takes from an eventfd, by `next`, or adds to it.
pub fn event(parts: &Parts, fd: c_int, direction: Direction, next: impl Fn() -> c_int) -> c_int {
    match (records::class(fd), parts.way()) {
        (Class::Unwaitable, _) => next(),
        (_, Way::Thread) => observe_unless_ready(parts, fd, direction, next),
        (class, _) => once_ready(parts, fd, class, direction, 8, || next() as ssize_t) as c_int,
    }
}
