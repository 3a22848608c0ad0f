//! Calls that may block, made in two phases: the wait until they can go on, and the transfer.
//!
//! ```text
//! receiving, sending, relaying, connecting: how a call is made in two phases
//!   ├ observing        calls of threads that wait themselves
//!   ├ transfer         what calls of coroutines have in common
//!   └ vector           the arrays of writev and sendmsg
//! poll_and_sleep       waiting for several descriptors
//! sleeping             waiting for time to pass
//!   └ waiting          one wait: by the runtime, or by poll
//!     └ temporary_fd   a descriptor that stands for several others, or for a time
//! coroutines           what each coroutine did
//! runtime              the runtime that registered itself
//! signals              whether calls go on after a signal handler
//! coroutine_set        a set of coroutines
//! ```
//!
//! The model is the hooked `read` of libco: it polls first, lets other coroutines run meanwhile, and then reads. Here a
//! call is first tried without blocking, if that is possible. So only a call that must wait costs more. Outside
//! coroutines, a call that must wait is made unchanged, and only its time is divided. O_NONBLOCK of the open file is
//! never changed, because other processes may share the file.

mod connecting;
mod coroutine_set;
mod coroutines;
mod observing;
mod poll_and_sleep;
mod receiving;
mod relaying;
mod runtime;
mod sending;
pub mod signals;
mod sleeping;
mod temporary_fd;
mod transfer;
mod vector;
mod waiting;

use std::ffi::{c_int, c_uint, c_void};
use std::ptr::NonNull;

use crate::files::records;
use crate::process::modes;
use crate::sys::{self, waiting::file_type};
use crate::{process, thread};

pub use connecting::{accept, connect};
pub use coroutines::{Heap, count_call, count_heap};
pub use observing::buffered;
pub use poll_and_sleep::{
    epoll, ns_of_timespec, ns_of_timeval, poll, poll_until, resolve, select, wait_for_child,
};
pub use receiving::{event, read, read_parts, receive_many, receive_message, receive_parts};
pub use relaying::{Splice, sendfile, splice};
pub use runtime::{Table, enable, ended, register};
pub use sending::{send, send_many, send_parts, write, write_parts};
pub use sleeping::{clock_nanosleep, nanosleep, sleep_seconds, usleep};
pub use vector::Vector;
pub use waiting::TwoPhaseCall;

/// Whether any call may have to be made in two parts.
#[inline(always)]
pub fn is_on() -> bool {
    modes::are(modes::TWO_PARTS | modes::COROUTINES)
}

/// Whether there may be coroutines.
#[inline(always)]
pub fn has_runtime() -> bool {
    modes::are(modes::COROUTINES)
}

/// Makes calls in two parts from now on.
pub fn begin_parted() {
    modes::set(modes::TWO_PARTS);
}

/// Called when there is a new region: writes the runtime's name there, if there is a runtime.
pub fn begin() {
    if let Some(header) = process::header()
        && has_runtime()
    {
        runtime::announce(header);
    }
}

/// Called in a child of fork.
pub fn forked() {
    if has_runtime() {
        records::forget_waits();
    }
}

/// How a call waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitMode {
    /// Its thread waits.
    Thread,
    /// The runtime lets other coroutines run.
    Coroutine(NonNull<c_void>),
}

/// How the next call of the calling thread waits; `None` if it is made in one part.
#[cold]
#[inline(never)]
pub fn wait_mode() -> Option<WaitMode> {
    if thread::is_guarded() || sys::is_sealed() {
        return None;
    }
    if has_runtime() {
        thread::hide_slot();
        if let Some(coroutine) = runtime::current() {
            return runtime::yields(coroutine).then_some(WaitMode::Coroutine(coroutine));
        }
    }
    modes::are(modes::TWO_PARTS).then_some(WaitMode::Thread)
}

/// Counts that a call blocks the thread of a coroutine.
fn note_blocked() {
    if let Some(header) = process::header() {
        header.blocked_coroutines.add_shared(1);
    }
}

/// Whether calls on a descriptor may have to wait.
pub fn is_waitable(fd: c_int) -> bool {
    records::class(fd) != records::Class::Unwaitable
}

/// Called before a descriptor is closed: wakes the coroutines that wait for it, and makes the runtime forget it. Does
/// nothing in a child of vfork: the descriptor stays open in the parent.
pub fn closing(fd: c_int) {
    if has_runtime()
        && records::is_awaited(fd)
        && !process::is_vfork_child()
        && !thread::is_guarded()
    {
        if records::closing(fd) {
            closing_stand_ins(fd);
        }
        runtime::fd_closing(fd);
    }
}

/// Wakes the coroutines that wait for a descriptor through another one.
#[cold]
#[inline(never)]
fn closing_stand_ins(fd: c_int) {
    records::stand_ins(fd).for_each(runtime::fd_closing);
}

/// Called before `fd` becomes a copy of `from`: this closes what `fd` refers to, unless `from` is the same descriptor,
/// or is not open.
pub fn closing_for(from: c_int, fd: c_int) {
    if has_runtime() && fd != from && records::is_awaited(fd) && file_type(from).is_some() {
        closing(fd);
    }
}

/// Called before the descriptors from `first` to `last` are closed.
pub fn closing_range(first: c_uint, last: c_uint) {
    if has_runtime() {
        records::awaited(first, last).for_each(closing);
    }
}

/// Called after a setsockopt of this option, whether it succeeded or not.
pub fn set_option(level: c_int, option: c_int) {
    if level == libc::SOL_SOCKET && option == libc::SO_RCVLOWAT {
        records::set_low_water();
    }
}
