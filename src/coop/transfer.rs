//! What calls that move bytes, or make a connection, have in common when they are made in parts.
//!
//! On a socket a call is first tried without blocking (MSG_DONTWAIT), and only where that fails does it wait. What
//! cannot be tried is asked about with poll first. In both cases the kernel's own rules are kept: what O_NONBLOCK,
//! timeouts and partial transfers mean.

use std::ffi::c_int;

use libc::ssize_t;

use super::records::{self, Class, Mode};
use super::waiting::{Deadline, Parts, deadline_in};
use super::{Way, signals};
use crate::sys;

/// A call has failed, with this errno.
pub fn fail(errno: c_int) -> ssize_t {
    sys::set_errno(errno);
    -1
}

/// Whether a call has just failed because it would have to wait.
pub fn would_block(result: ssize_t) -> bool {
    result < 0 && matches!(sys::errno(), libc::EAGAIN)
}

/// Which way bytes go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To the program.
    In,
    /// From the program.
    Out,
}

impl Direction {
    /// What is waited for.
    pub fn events(self) -> i16 {
        match self {
            Direction::In => libc::POLLIN,
            Direction::Out => libc::POLLOUT,
        }
    }

    /// Until when a call that begins now may wait.
    pub fn deadline(self, mode: Mode) -> Deadline {
        deadline_in(match self {
            Direction::In => mode.receive_ns,
            Direction::Out => mode.send_ns,
        })
    }
}

/// A call without blocking, in a loop of waits: what is known once it has had to wait.
pub struct Patience {
    fd: c_int,
    direction: Direction,
    /// The deadline, once it has been asked for.
    deadline: Option<Deadline>,
}

/// Whether a call may wait.
pub enum Verdict {
    /// It has waited; it may be tried again.
    Again,
    /// It fails where it would have to wait.
    Nonblocking,
    /// The wait is the real call's.
    Left,
    /// It failed, with this errno.
    Failed(c_int),
}

impl Patience {
    /// None has been needed yet.
    pub fn new(fd: c_int, direction: Direction) -> Patience {
        Patience {
            fd,
            direction,
            deadline: None,
        }
    }

    /// The call would block.
    pub fn wait(&mut self, parts: &Parts) -> Verdict {
        let deadline = match self.deadline {
            Some(deadline) => deadline,
            None => {
                let mode = records::mode(self.fd, Class::Socket);
                if mode.is_nonblocking {
                    return Verdict::Nonblocking;
                }
                if parts.way() == Way::Thread && signals::are_mixed() {
                    super::note_waits_left();
                    return Verdict::Left;
                }
                *self.deadline.insert(self.direction.deadline(mode))
            }
        };
        match parts.wait(self.fd, self.direction.events(), deadline) {
            Ok(()) => Verdict::Again,
            Err(errno) => Verdict::Failed(errno),
        }
    }
}

/// Makes a call on what cannot be tried, by `next`, once it is ready.
pub fn once_ready(
    parts: &Parts,
    fd: c_int,
    direction: Direction,
    next: impl Fn() -> ssize_t,
) -> ssize_t {
    if records::mode(fd, Class::Other).is_nonblocking {
        return next();
    }
    if parts.way() == Way::Thread && signals::are_mixed() {
        super::note_waits_left();
        return parts.waiting(next);
    }
    match parts.wait_until_ready(fd, direction.events(), None) {
        Ok(()) => next(),
        Err(errno) => fail(errno),
    }
}

/// Adds what a piece of a call moved to what is done. Where the call ends with that, its result: a failure is one only
/// where nothing had been done before.
pub fn add(done: &mut usize, result: ssize_t) -> Option<ssize_t> {
    match usize::try_from(result) {
        Ok(0) => Some(*done as ssize_t),
        Ok(bytes) => {
            *done += bytes;
            None
        }
        Err(_) if *done > 0 => Some(*done as ssize_t),
        Err(_) => Some(result),
    }
}
