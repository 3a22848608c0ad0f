//! Calls of a thread that waits itself. They are made unchanged; this only finds out whether they had to wait.
//!
//! A call in progress keeps its file even if another thread closes the descriptor. Signals, timeouts and terminals can
//! end it. A poll and a second call cannot do the same, except in one case: a plain call on a socket that was just
//! tried, in a program with one thread. Only there the wait is a call of its own. In all other cases a call that had to
//! wait counts as a wait as a whole, and its transfer takes no time.

use std::ffi::c_int;

use libc::ssize_t;

use super::sending::PIPE_BUF;
use super::transfer::fail;
use super::waiting::{self, TwoPhaseCall};
use super::{WaitMode, signals};
use crate::files::records::Direction;
use crate::files::records::{self, Class};
use crate::linking::single_thread;
use crate::sys::waiting::{poll_now, sleeps};

/// Makes a call. If the thread slept in it, all its time is a wait.
#[inline(never)]
pub fn observe<T>(parts: &TwoPhaseCall, next: impl Fn() -> T) -> T {
    let before = sleeps();
    parts.waiting_if(next, || sleeps() != before)
}

/// The same for a call that does not sleep if poll says that the descriptor is ready.
pub fn observe_unless_ready<T>(
    parts: &TwoPhaseCall,
    fd: c_int,
    direction: Direction,
    next: impl Fn() -> T,
) -> T {
    if poll_now(fd, direction.events()) != 0 {
        return next();
    }
    observe(parts, next)
}

/// Makes a call for stdio, which holds the lock of a stream: so no coroutine may switch in it. `size` is how many bytes
/// it writes, or 0.
pub fn buffered(
    parts: &TwoPhaseCall,
    fd: c_int,
    direction: Direction,
    size: usize,
    next: impl Fn() -> ssize_t,
) -> ssize_t {
    match parts.way() {
        WaitMode::Coroutine(_) => next(),
        WaitMode::Thread if size <= PIPE_BUF => observe_unless_ready(parts, fd, direction, next),
        WaitMode::Thread => observe(parts, next),
    }
}

/// Receives from a socket. A try without blocking has just failed because the call would block.
#[inline(never)]
pub fn receive_after_try(parts: &TwoPhaseCall, fd: c_int, next: impl Fn() -> ssize_t) -> ssize_t {
    let mode = match records::mode(fd, Class::Socket, Direction::In) {
        Ok(mode) => mode,
        Err(errno) => return fail(errno),
    };
    if mode.is_nonblocking {
        return fail(libc::EAGAIN);
    }
    // No other thread can close the descriptor that this one waits for.
    if mode.bound_ns.is_some() || !single_thread::is_so() || signals::are_mixed() {
        return parts.waiting(next);
    }
    match parts.waiting(|| waiting::wait_in_thread(fd, libc::POLLIN)) {
        Err(libc::EINTR) => fail(libc::EINTR),
        _ => next(),
    }
}
