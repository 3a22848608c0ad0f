//! What calls that move bytes or make a connection have in common when they are made in two parts.
//!
//! On a socket a call is first tried without blocking (MSG_DONTWAIT), and waits only if the try fails. If a call cannot
//! be tried, poll is asked first. Both ways keep the kernel's rules for O_NONBLOCK, timeouts and partial transfers.

use std::ffi::c_int;

use libc::{size_t, ssize_t};

use super::waiting::{SOON_NS, TwoPhaseCall};
use crate::files::records::Direction;
use crate::files::records::{self, Class};
use crate::sys::Deadline;
use crate::sys::{self, waiting};

/// Sets errno, and returns the result of a failed call.
pub fn fail(errno: c_int) -> ssize_t {
    sys::set_errno(errno);
    -1
}

/// Whether a call has just failed because it would have to wait.
pub fn would_block(result: ssize_t) -> bool {
    result < 0 && matches!(sys::errno(), libc::EAGAIN)
}

/// The state of a loop of tries and waits, for a call of a coroutine. One deadline holds for all of them.
pub struct Patience {
    deadline: Deadline,
    fd: c_int,
    direction: Direction,
    /// Whether the deadline is known.
    is_asked: bool,
    /// How many waits have ended with the descriptor ready since the call last moved anything.
    disappointments: u8,
}

/// What a call does before the next try.
enum Next {
    Wait,
    LetTimePass,
    Not(Verdict),
}

/// Whether a call may wait.
pub enum Verdict {
    /// It has waited, and may be tried again.
    Again,
    /// It fails because it would have to wait.
    Nonblocking,
    /// It has nothing to wait for; only the program's own call shows its result.
    AsItIs,
    /// It failed with this errno.
    Failed(c_int),
}

impl Patience {
    /// How many tries in a row may fail although the descriptor was said to be ready: another thread may have been
    /// faster.
    const DISAPPOINTMENTS: u8 = 3;

    /// Nothing is known yet: the deadline is read at the first wait.
    pub fn new(fd: c_int, direction: Direction) -> Patience {
        Patience {
            deadline: Deadline::NEVER,
            fd,
            direction,
            is_asked: false,
            disappointments: 0,
        }
    }

    /// Called after the call has moved something.
    pub fn moved(&mut self) {
        self.disappointments = 0;
    }

    /// Whether no time is left for the call, or it must not wait.
    #[inline(never)]
    pub fn has_ended(&mut self) -> bool {
        self.ask().is_err() || self.deadline.has_passed()
    }

    /// Reads the deadline, if it is not known yet. Fails if the call must not wait.
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

    /// What the call, which would block, does next. Not inlined, so that its frame is gone before the wait.
    #[inline(never)]
    fn next(&mut self) -> Next {
        if let Err(verdict) = self.ask() {
            return Next::Not(verdict);
        }
        // A socket that was shut down for receiving is at its end. But a datagram socket says so only to a call that
        // may wait.
        let has_ended = self.disappointments > 0
            && self.direction == Direction::In
            && waiting::poll_now(self.fd, libc::POLLRDHUP) & libc::POLLRDHUP != 0;
        if has_ended {
            return Next::Not(Verdict::AsItIs);
        }
        // poll and the call may disagree forever: poll of a datagram socket does not know who may receive the datagram.
        if self.disappointments < Self::DISAPPOINTMENTS {
            return Next::Wait;
        }
        if self.deadline.has_passed() {
            return Next::Not(Verdict::Failed(libc::EAGAIN));
        }
        Next::LetTimePass
    }

    /// Waits, because the call would block. Inlined, because each frame above a wait takes part of a stack that may be
    /// small.
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

/// Makes a call of a coroutine by `next` once the descriptor is ready; it cannot be tried without blocking. The call
/// moves up to `size` bytes.
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

/// Whether a call returns at once, although poll does not say that the descriptor is ready.
#[inline(never)]
fn never_waits(fd: c_int, class: Class, direction: Direction, size: size_t) -> bool {
    /// The least size in bytes that eventfd, timerfd and the like accept.
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

/// Adds to `done` the bytes that one piece of a call moved. If the call ends with this piece, returns the call's
/// result. That is the error only if nothing was moved before.
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
