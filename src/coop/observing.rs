//! Calls of a thread that waits by itself. They are made as the program made them: all that is found out is whether they
//! had to wait.
//!
//! A call that is under way keeps its file even if another thread closes the descriptor, and ends as signals, timeouts and
//! terminals have it. Nothing that is put together of poll and a second call does that, but in one case: a
//! plain call on a socket that has just been tried, in a program of one thread. Only there the wait is a call of its own;
//! elsewhere a call that had to wait is told as waiting whole, with what it moved at its end.

use std::ffi::{c_char, c_int};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use libc::ssize_t;

use super::sending::PIPE_BUF;
use super::transfer::fail;
use super::waiting::{self, TwoPhaseCall};
use super::{WaitMode, signals};
use crate::files::records::Direction;
use crate::files::records::{self, Class};
use crate::linking::c_library;
use crate::sys::waiting::{poll_now, sleeps};

/// Makes a call: if the thread slept in it, its time was a wait.
#[inline(never)]
pub fn observe<T>(parts: &TwoPhaseCall, next: impl Fn() -> T) -> T {
    let before = sleeps();
    parts.waiting_if(next, || sleeps() != before)
}

/// The same for a call that does not sleep where poll says that it need not.
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

/// A call that stdio makes, of so many bytes to write, with the lock of a stream held: no coroutine may give way in it.
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

/// Receives from a socket, which has just been tried without blocking, and would have blocked.
#[inline(never)]
pub fn receive_after_try(parts: &TwoPhaseCall, fd: c_int, next: impl Fn() -> ssize_t) -> ssize_t {
    let mode = match records::mode(fd, Class::Socket, Direction::In) {
        Ok(mode) => mode,
        Err(errno) => return fail(errno),
    };
    if mode.is_nonblocking {
        return fail(libc::EAGAIN);
    }
    if mode.bound_ns.is_some() || !is_single_threaded() || signals::are_mixed() {
        return parts.waiting(next);
    }
    match parts.waiting(|| waiting::wait_in_thread(fd, libc::POLLIN)) {
        Err(libc::EINTR) => fail(libc::EINTR),
        _ => next(),
    }
}

/// The C library's word on whether there has only been one thread (sys/single_threaded.h); NULL where it has none.
static SINGLE_THREADED: AtomicPtr<c_char> = AtomicPtr::new(ptr::null_mut());

/// Looks for that.
pub fn look_for_threads() {
    let found = c_library::variable(c"__libc_single_threaded");
    SINGLE_THREADED.store(ptr::with_exposed_provenance_mut(found), Ordering::Relaxed);
}

/// Whether no other thread can close what this one waits for: the writer's counts as one, where it is in the program.
fn is_single_threaded() -> bool {
    let word = SINGLE_THREADED.load(Ordering::Relaxed);
    // SAFETY: NULL, or a variable of the C library.
    !word.is_null() && unsafe { word.read_volatile() } != 0
}
