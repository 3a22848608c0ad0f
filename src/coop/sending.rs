//! Calls that send, in parts: until all is sent, as a call that blocks does.

use std::cell::Cell;
use std::ffi::{c_int, c_uint, c_void};

use libc::{mmsghdr, msghdr, size_t, ssize_t};

use super::records::{self, Class};
use super::transfer::{Direction, Patience, Verdict, add, fail, once_ready, would_block};
use super::vector::Vector;
use super::waiting::Parts;
use super::{Way, signals};
use crate::sys;

/// So much may always be written without blocking where poll says that anything may (pipe(7), PIPE_BUF).
const PIPE_BUF: usize = libc::PIPE_BUF;

/// Sends all of `size` bytes: `now` is told from where on, and flags more; `piece`, for what is no socket, from where on
/// and how many; `next` is the call as the program made it.
pub fn send(
    parts: &Parts,
    fd: c_int,
    flags: c_int,
    size: size_t,
    now: impl Fn(size_t, c_int) -> ssize_t,
    piece: impl Fn(size_t, size_t) -> ssize_t,
    next: impl Fn() -> ssize_t,
) -> ssize_t {
    if flags & libc::MSG_DONTWAIT != 0 {
        return next();
    }
    match records::class(fd) {
        Class::Unwaitable => next(),
        Class::Other => send_to_other(parts, fd, size, piece, next),
        Class::Socket => send_to_socket(parts, fd, |done| done >= size, now, next),
    }
}

/// Sends to a socket until all has been sent (`is_all`, told how much has been).
fn send_to_socket(
    parts: &Parts,
    fd: c_int,
    is_all: impl Fn(size_t) -> bool,
    now: impl Fn(size_t, c_int) -> ssize_t,
    next: impl Fn() -> ssize_t,
) -> ssize_t {
    let mut patience = Patience::new(fd, Direction::Out);
    let mut done = 0;
    // A call that has sent something raises no SIGPIPE when it cannot go on.
    let quiet = |done| if done > 0 { libc::MSG_NOSIGNAL } else { 0 };
    loop {
        let result = now(done, libc::MSG_DONTWAIT | quiet(done));
        if !would_block(result) {
            if let Some(result) = add(&mut done, result) {
                return result;
            }
            if is_all(done) {
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
            Verdict::Left if done == 0 => return parts.waiting(&next),
            Verdict::Left => {
                return parts.waiting(|| {
                    while !is_all(done) {
                        let result = now(done, quiet(done));
                        if let Some(result) = add(&mut done, result) {
                            return result;
                        }
                    }
                    done as ssize_t
                });
            }
            Verdict::Failed(errno) => return failed(errno),
        }
    }
}

/// Writes to what cannot be tried: in a coroutine, in pieces that do not block where poll says that anything may be
/// written.
fn send_to_other(
    parts: &Parts,
    fd: c_int,
    size: size_t,
    piece: impl Fn(size_t, size_t) -> ssize_t,
    next: impl Fn() -> ssize_t,
) -> ssize_t {
    if size <= PIPE_BUF
        || parts.way() == Way::Thread
        || records::mode(fd, Class::Other).is_nonblocking
    {
        return once_ready(parts, fd, Direction::Out, next);
    }
    let mut done = 0;
    while done < size {
        let piece = || piece(done, (size - done).min(PIPE_BUF));
        let result = once_ready(parts, fd, Direction::Out, piece);
        if let Some(result) = add(&mut done, result) {
            return result;
        }
    }
    done as ssize_t
}

/// Writes all that a vector leads to. `now` sends it from its beginning, with flags more; `rest` sends some bytes;
/// `piece`, for what is no socket, writes some.
///
/// # Safety
/// As of writev(2). The vector may not be readable.
pub unsafe fn write_parts(
    parts: &Parts,
    fd: c_int,
    vector: Vector,
    now: impl Fn(c_int) -> ssize_t,
    rest: impl Fn(*mut c_void, size_t, c_int) -> ssize_t,
    piece: impl Fn(*mut c_void, size_t) -> ssize_t,
    next: impl Fn() -> ssize_t,
) -> ssize_t {
    if records::class(fd) != Class::Other {
        // SAFETY: as the caller promises.
        return unsafe { send_parts(parts, fd, 0, || vector, now, rest, next) };
    }
    // Where the vector cannot be read, the kernel says so.
    let size = vector.checked_size().unwrap_or(0);
    let piece = |done, most: size_t| {
        // SAFETY: it has just been read.
        match unsafe { vector.rest_after(done) } {
            Some((from, left)) => piece(from, left.min(most)),
            None => 0,
        }
    };
    send_to_other(parts, fd, size, piece, next)
}

/// Sends all that a vector leads to. `now` sends it from its beginning, with flags more; `rest` sends some bytes.
///
/// # Safety
/// As of sendmsg(2). What holds the vector, and that, may not be readable.
pub unsafe fn send_parts(
    parts: &Parts,
    fd: c_int,
    flags: c_int,
    vector: impl Fn() -> Vector,
    now: impl Fn(c_int) -> ssize_t,
    rest: impl Fn(*mut c_void, size_t, c_int) -> ssize_t,
    next: impl Fn() -> ssize_t,
) -> ssize_t {
    if flags & libc::MSG_DONTWAIT != 0 || records::class(fd) != Class::Socket {
        return next();
    }
    // How much there is to send is known once the kernel has read the vector: it has sent some of it.
    let total = Cell::new(size_t::MAX);
    let now = |done, more| {
        if done > 0 {
            // SAFETY: the kernel has read it.
            return match unsafe { vector().rest_after(done) } {
                Some((from, size)) => rest(from, size, more),
                None => 0,
            };
        }
        let sent = now(more);
        if sent > 0 {
            // SAFETY: as above.
            total.set(unsafe { vector().size() });
        }
        sent
    };
    send_to_socket(parts, fd, |done| done >= total.get(), now, next)
}

/// Sends messages one after the other, each by `one`, which writes down how much it has sent.
///
/// # Safety
/// As of sendmmsg(2).
pub unsafe fn send_many(
    parts: &Parts,
    fd: c_int,
    messages: *mut mmsghdr,
    count: c_uint,
    flags: c_int,
    one: impl Fn(&Parts, *const msghdr) -> ssize_t,
    next: impl Fn() -> c_int,
) -> c_int {
    if flags & libc::MSG_DONTWAIT != 0 || records::class(fd) != Class::Socket {
        return next();
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

/// Moves bytes from one descriptor to another: waits for the one to have some and the other to take them, and calls
/// `piece` with how many.
pub fn relay(
    parts: &Parts,
    from: c_int,
    to: c_int,
    size: size_t,
    piece: impl Fn(size_t) -> ssize_t,
    next: impl Fn() -> ssize_t,
) -> ssize_t {
    let wait_for = |fd, direction: Direction| match records::class(fd) {
        Class::Unwaitable => Ok(()),
        class => {
            let mode = records::mode(fd, class);
            if mode.is_nonblocking {
                return Ok(());
            }
            parts.wait_until_ready(fd, direction.events(), direction.deadline(mode))
        }
    };
    if parts.way() == Way::Thread && signals::are_mixed() {
        super::note_waits_left();
        return parts.waiting(next);
    }
    if size == 0 {
        return next();
    }
    let mut done = 0;
    while done < size {
        let ready = wait_for(from, Direction::In).and_then(|()| wait_for(to, Direction::Out));
        let result = match ready {
            Err(errno) => fail(errno),
            Ok(()) if parts.way() == Way::Thread => return next(),
            Ok(()) => piece((size - done).min(room(to))),
        };
        if let Some(result) = add(&mut done, result) {
            return result;
        }
        if records::class(from) != Class::Unwaitable {
            // splice returns what there was.
            break;
        }
    }
    done as ssize_t
}

/// How much a descriptor that poll says may be written to takes without blocking: a socket has a third of its
/// buffer free then, and the buffer's size counts the kernel's own books.
fn room(fd: c_int) -> usize {
    let buffer = sys::socket_option(fd, libc::SO_SNDBUF).unwrap_or(0);
    usize::try_from(buffer / 8).unwrap_or(0).max(PIPE_BUF)
}
