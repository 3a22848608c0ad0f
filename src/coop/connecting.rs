//! Calls that make a connection, in parts.

use std::ffi::c_int;

use super::WaitMode;
use super::observing::{observe, observe_unless_ready};
use super::transfer::fail;
use super::waiting::TwoPhaseCall;
use crate::files::records::Direction;
use crate::files::records::{self, Class};
use crate::sys;
use crate::sys::waiting::{self, Timeout};

/// Accepts a connection. What accept does is wait; but where coroutines run it must not be called before there is
/// a connection.
pub fn accept(parts: &TwoPhaseCall, fd: c_int, next: impl Fn() -> c_int) -> c_int {
    if records::class(fd) != Class::Socket {
        return next();
    }
    if parts.way() == WaitMode::Thread {
        return observe_unless_ready(parts, fd, Direction::In, next);
    }
    let mode = match records::mode(fd, Class::Socket, Direction::In) {
        Ok(mode) if !mode.is_nonblocking => mode,
        _ => return next(),
    };
    match parts.wait_until_ready(fd, libc::POLLIN, mode.deadline()) {
        Ok(()) => next(),
        Err(errno) => fail(errno) as c_int,
    }
}

/// How long a coroutine lets others run before it tries again to connect to a listener whose queue is full.
const RETRY_NS: u64 = 1_000_000;

/// Makes a connection.
///
/// A blocking socket can be told to connect without O_NONBLOCK, which others would see, by its own timeout: the
/// call then waits for one tick of the kernel's at most, and the connection goes on being made.
pub fn connect(parts: &TwoPhaseCall, fd: c_int, next: impl Fn() -> c_int) -> c_int {
    if records::class(fd) != Class::Socket {
        return next();
    }
    if parts.way() == WaitMode::Thread {
        return observe(parts, next);
    }
    let deadline = match records::mode(fd, Class::Socket, Direction::Out) {
        Ok(mode) if !mode.is_nonblocking && !waiting::is_datagram(fd) => mode.deadline(),
        _ => return next(),
    };
    loop {
        let result = waiting::with_shortest_timeout(fd, Timeout::Send, &next);
        if result == 0 {
            return 0;
        }
        let waited = match sys::errno() {
            libc::EINPROGRESS => parts.wait_to_transfer(fd, libc::POLLOUT, deadline),
            // A Unix domain socket, which has no connection under way.
            libc::EAGAIN if deadline.has_passed() => return -1,
            libc::EAGAIN => match parts.sleep(RETRY_NS) {
                Ok(()) => continue,
                Err(errno) if parts.goes_on_after(errno, deadline) => continue,
                failed => failed,
            },
            _ => return result,
        };
        let errno = match waited {
            Ok(()) => sys::socket_option(fd, libc::SO_ERROR).unwrap_or(libc::EBADF),
            Err(libc::EAGAIN) => libc::EINPROGRESS,
            Err(errno) => errno,
        };
        return match errno {
            0 => 0,
            errno => fail(errno) as c_int,
        };
    }
}
