//! What calls that move bytes, or make a connection, have in common when they are made in parts.
//!
//! On a socket a call is first tried without blocking (MSG_DONTWAIT), and only where that fails does it wait. What
//! cannot be tried is asked about with poll first. In both cases the kernel's own rules are kept: what O_NONBLOCK,
//! timeouts and partial transfers mean.

use std::ffi::c_int;

use libc::{size_t, ssize_t};

use super::waiting::{SOON_NS, TwoPhaseCall};
use crate::files::records::Direction;
use crate::files::records::{self, Class};
use crate::sys::Deadline;
use crate::sys::{self, waiting};

/// A call has failed, with this errno.
pub fn fail(errno: c_int) -> ssize_t {
    sys::set_errno(errno);
    -1
}

/// Whether a call has just failed because it would have to wait.
pub fn would_block(result: ssize_t) -> bool {
    result < 0 && matches!(sys::errno(), libc::EAGAIN)
}

/// A call of a coroutine without blocking, in a loop of waits: what is known once it has had to wait. There is one
/// deadline for all of it.
pub struct Patience {
    deadline: Deadline,
    fd: c_int,
    direction: Direction,
    /// Whether the deadline has been asked for.
    is_asked: bool,
    /// How often it was said to be ready since it last moved anything.
    disappointments: u8,
}

/// What a call does before it is tried again.
enum Next {
    Wait,
    LetTimePass,
    Not(Verdict),
}

/// Whether a call may wait.
pub enum Verdict {
    /// It has waited; it may be tried again.
    Again,
    /// It fails where it would have to wait.
    Nonblocking,
    /// It has nothing to wait for, and only the call as the program made it tells what comes of it.
    AsItIs,
    /// It failed, with this errno.
    Failed(c_int),
}

impl Patience {
    /// So often a call may be said to be ready and not be it, because another was faster.
    const DISAPPOINTMENTS: u8 = 3;

    /// None has been needed yet.
    pub fn new(fd: c_int, direction: Direction) -> Patience {
        Patience {
            deadline: Deadline::NEVER,
            fd,
            direction,
            is_asked: false,
            disappointments: 0,
        }
    }

    /// The call has moved something.
    pub fn moved(&mut self) {
        self.disappointments = 0;
    }

    /// Whether a call that has begun has no time left.
    #[inline(never)]
    pub fn has_ended(&mut self) -> bool {
        self.ask().is_err() || self.deadline.has_passed()
    }

    /// Asks for the deadline, where that has not been done. Whether there is one to wait for.
    #[inline(always)]
    fn ask(&mut self) -> Result<(), Verdict> {
        if self.is_asked {
            return Ok(());
        }
        match records::mode(self.fd, Class::Socket, self.direction) {
            Ok(mode) if mode.is_nonblocking => Err(Verdict::Nonblocking),
            Ok(mode) => {
                self.deadline = mode.deadline();
                self.is_asked = true;
                Ok(())
            }
            Err(errno) => Err(Verdict::Failed(errno)),
        }
    }

    /// What the call, which would block, does next. Not inlined: it is done before the wait, not under it.
    #[inline(never)]
    fn next(&mut self) -> Next {
        if let Err(verdict) = self.ask() {
            return Next::Not(verdict);
        }
        // What has been shut down for receiving is at its end, but a datagram socket says so to a call that may wait only.
        let has_ended = self.disappointments > 0
            && self.direction == Direction::In
            && waiting::poll_now(self.fd, libc::POLLRDHUP) & libc::POLLRDHUP != 0;
        if has_ended {
            return Next::Not(Verdict::AsItIs);
        }
        // poll and the call may be of different minds for ever: of a datagram socket poll does not know for whom it is.
        if self.disappointments < Self::DISAPPOINTMENTS {
            return Next::Wait;
        }
        if self.deadline.has_passed() {
            return Next::Not(Verdict::Failed(libc::EAGAIN));
        }
        Next::LetTimePass
    }

    /// The call would block. Inlined, for each frame that is above a wait is as much less for the program.
    #[inline(always)]
    pub fn wait(&mut self, parts: &TwoPhaseCall) -> Verdict {
        match self.next() {
            Next::Wait => {}
            Next::LetTimePass => {
                if let Err(errno) = parts.sleep(SOON_NS)
                    && !parts.goes_on_after(errno, self.deadline)
                {
                    return Verdict::Failed(errno);
                }
            }
            Next::Not(verdict) => return verdict,
        }
        match parts.wait_to_transfer(self.fd, self.direction.events(), self.deadline) {
            Ok(()) => {
                self.disappointments = self.disappointments.saturating_add(1);
                Verdict::Again
            }
            Err(errno) => Verdict::Failed(errno),
        }
    }
}

/// Makes a call of a coroutine on what cannot be tried, for `size` bytes, by `next`, once it is ready.
#[inline(always)]
pub fn once_ready(
    parts: &TwoPhaseCall,
    fd: c_int,
    class: Class,
    direction: Direction,
    size: size_t,
    next: impl Fn() -> ssize_t,
) -> ssize_t {
    if never_waits(fd, class, direction, size) {
        return next();
    }
    match parts.wait_until_ready(fd, direction.events(), Deadline::NEVER) {
        Ok(()) => next(),
        Err(errno) => fail(errno),
    }
}

/// Whether a call returns at once although poll does not say so.
#[inline(never)]
fn never_waits(fd: c_int, class: Class, direction: Direction, size: size_t) -> bool {
    /// What an eventfd, a timerfd and their kind are read and written by at least.
    const LEAST: size_t = 8;
    match records::mode(fd, class, direction) {
        Ok(mode) if !mode.is_nonblocking && !mode.is_wrong_end && size > 0 => {}
        _ => return true,
    }
    class == Class::Other
        && match waiting::is_impatient_terminal(fd) {
            Some(is_impatient) => direction == Direction::In && is_impatient,
            None => size < LEAST && waiting::file_type(fd) != Some(libc::S_IFCHR),
        }
}

/// Adds what a piece of a call moved to what is done. Where the call ends with that, its result: a failure is one only
/// where nothing had been done before.
pub fn add(parts: &TwoPhaseCall, done: &mut usize, result: ssize_t) -> Option<ssize_t> {
    match usize::try_from(result) {
        Ok(0) => Some(*done as ssize_t),
        Ok(bytes) => {
            *done += bytes;
            parts.has_moved();
            None
        }
        Err(_) if *done > 0 => Some(*done as ssize_t),
        Err(_) => Some(result),
    }
}
