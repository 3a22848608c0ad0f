//! Calls that make a connection, in two parts.

use std::ffi::c_int;

use super::WaitMode;
use super::observing::{observe, observe_unless_ready};
use super::transfer::fail;
use super::waiting::TwoPhaseCall;
use crate::files::records::Direction;
use crate::files::records::{self, Class};
use crate::sys;
use crate::sys::waiting::{self, Timeout};

/// Accepts a connection. All that accept does is wait. In a coroutine it is called only once there is a connection.
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

/// How many nanoseconds a coroutine waits before it tries again to connect to a listener whose queue is full.
const RETRY_NS: u64 = 1_000_000;

/// Makes a connection.
///
/// The call must not block the thread. O_NONBLOCK would do that, but other users of the open file would see it. So the
/// socket's own timeout is set to the shortest: the call then waits for at most one tick of the kernel, and the kernel
/// continues to connect.
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
            // A Unix domain socket, which does not connect in the background.
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
