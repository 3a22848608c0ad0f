//! Calls that move bytes from one descriptor to another, in two parts.

use std::ffi::{c_int, c_uint};

use libc::{size_t, ssize_t};

use super::WaitMode;
use super::observing::observe;
use super::sending::PIPE_BUF;
use super::transfer::{add, fail, would_block};
use super::waiting::TwoPhaseCall;
use crate::files::records::Direction;
use crate::files::records::{self, Class};
use crate::sys;
use crate::sys::waiting::poll_now;

/// `sendfile`. `piece` sends up to the given number of bytes.
pub fn sendfile(
    parts: &TwoPhaseCall,
    from: c_int,
    to: c_int,
    size: size_t,
    piece: impl Fn(size_t) -> ssize_t,
    next: impl Fn() -> ssize_t,
) -> ssize_t {
    if parts.way() == WaitMode::Thread {
        return observe(parts, next);
    }
    // The source is a file, for which no call waits.
    if size == 0 || records::class(from) != Class::Unwaitable {
        return next();
    }
    let mut done = 0;
    while done < size {
        let piece = || piece((size - done).min(room(to)));
        let result = once_ready(parts, &[(to, Direction::Out)], piece);
        if let Some(result) = add(parts, &mut done, result) {
            return result;
        }
        // sendfile fills a pipe once, and returns.
        if records::class(to) == Class::Pipe {
            break;
        }
    }
    done as ssize_t
}

/// The arguments of `splice`.
#[derive(Clone, Copy)]
pub struct Splice {
    /// The source descriptor.
    pub from: c_int,
    /// The target descriptor.
    pub to: c_int,
    /// Whether the program passed an offset for the source, and for the target.
    pub has_places: [bool; 2],
    /// How many bytes to move.
    pub size: size_t,
    /// The flags.
    pub flags: c_uint,
}

/// `splice`. `piece` moves up to the given number of bytes, with additional flags.
pub fn splice(
    parts: &TwoPhaseCall,
    call: Splice,
    piece: impl Fn(size_t, c_uint) -> ssize_t,
    next: impl Fn() -> ssize_t,
) -> ssize_t {
    if parts.way() == WaitMode::Thread {
        return observe(parts, next);
    }
    let Splice { from, to, size, .. } = call;
    let ends = [from, to];
    let are_pipes = ends.map(|end| records::class(end) == Class::Pipe);
    let mode = |fd, direction| records::mode(fd, records::class(fd), direction);
    let (Ok(source), Ok(sink)) = (mode(from, Direction::In), mode(to, Direction::Out)) else {
        return next();
    };
    // The call fails at once for these.
    let is_wrong = are_pipes == [false; 2]
        || (0..2).any(|end| are_pipes[end] && call.has_places[end])
        || source.is_wrong_end
        || sink.is_wrong_end;
    let is_nonblocking =
        source.is_nonblocking || sink.is_nonblocking || call.flags & libc::SPLICE_F_NONBLOCK != 0;
    if size == 0 || is_wrong || is_nonblocking {
        return next();
    }
    let wanted = [(from, Direction::In), (to, Direction::Out)];
    let mut done = 0;
    loop {
        // SPLICE_F_NONBLOCK keeps a pipe from blocking. For a socket, poll says that at least `room` bytes fit.
        let most = (size - done).min(if are_pipes[1] { size } else { room(to) });
        let result = once_ready(parts, &wanted, || piece(most, libc::SPLICE_F_NONBLOCK));
        if would_block(result) {
            continue;
        }
        if let Some(result) = add(parts, &mut done, result) {
            return result;
        }
        // splice moves what there is, as far as there is room for it. From a pipe to something else it goes on until
        // the pipe is empty.
        let has_more =
            are_pipes[0] && !are_pipes[1] && poll_now(from, libc::POLLIN) & libc::POLLIN != 0;
        if done >= size || !has_more {
            return done as ssize_t;
        }
    }
}

/// Makes a call in a coroutine once all its descriptors are ready.
fn once_ready(
    parts: &TwoPhaseCall,
    wanted: &[(c_int, Direction)],
    call: impl Fn() -> ssize_t,
) -> ssize_t {
    for &(fd, direction) in wanted {
        let class = records::class(fd);
        if class == Class::Unwaitable {
            continue;
        }
        let mode = match records::mode(fd, class, direction) {
            Ok(mode) if !mode.is_nonblocking => mode,
            _ => continue,
        };
        if let Err(errno) = parts.wait_until_ready(fd, direction.events(), mode.deadline()) {
            return fail(errno);
        }
    }
    call()
}

/// How many bytes may be written to a descriptor without blocking, if poll says that it is ready. A third of a socket's
/// buffer is free then. The buffer's size includes the kernel's own data, so this returns an eighth of it.
fn room(fd: c_int) -> usize {
    let buffer = sys::socket_option(fd, libc::SO_SNDBUF).unwrap_or(0);
    usize::try_from(buffer / 8).unwrap_or(0).max(PIPE_BUF)
}
