//! Calls that may block, made in two phases: the wait until they can go on, and the transfer.
//!
//! ```text
//! receiving, sending, relaying, connecting: how a call is made in two phases
//!   ├ observing        those of threads that wait by themselves
//!   ├ transfer         what those of coroutines have in common
//!   └ vector           the arrays of writev and sendmsg
//! poll_and_sleep       waiting for several descriptors
//! sleeping             waiting for time to pass
//!   └ waiting          one wait: by the runtime, or by poll
//!     └ temporary_fd   a descriptor that stands in for several, or for time
//! coroutines           what each coroutine did
//! runtime              the runtime that registered itself
//! signals              whether a handler lets a call go on
//! coroutine_set        a set of coroutines
//! ```
//!
//! The origin is the hooked `read` of libco: poll first, let other coroutines run meanwhile, then read. A call
//! that need not wait is found out by trying it without blocking, where that can be had; only one that must wait
//! pays for more. Without a coroutine, a call that must wait is the program's own, and only its time is told apart. The open file's own O_NONBLOCK is never touched, because others share it.

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
use std::sync::atomic::{AtomicU32, Ordering};

use crate::files::records;
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

/// Calls are made in two parts outside coroutines too.
const PARTED: u32 = 1;
/// A runtime has registered itself.
const RUNTIME: u32 = 2;

static MODE: AtomicU32 = AtomicU32::new(0);

/// Whether any call may have to be made in two parts.
#[inline(always)]
pub fn is_on() -> bool {
    MODE.load(Ordering::Relaxed) != 0
}

/// Whether there may be coroutines.
#[inline(always)]
pub fn has_runtime() -> bool {
    MODE.load(Ordering::Relaxed) & RUNTIME != 0
}

/// Makes calls in two parts from now on.
pub fn begin_parted() {
    observing::look_for_threads();
    MODE.fetch_or(PARTED, Ordering::Relaxed);
}

/// A new region: tells it of the runtime, if there is one.
pub fn begin() {
    if let Some(header) = process::header()
        && has_runtime()
    {
        runtime::tell(header);
    }
}

/// In a child of fork.
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

/// How a call that the calling thread is about to make waits; none where it goes straight through.
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
    (MODE.load(Ordering::Relaxed) & PARTED != 0).then_some(WaitMode::Thread)
}

/// A call blocks the thread of a coroutine.
fn note_blocked() {
    if let Some(header) = process::header() {
        header.blocked_coroutines.add_shared(1);
    }
}

/// Whether a descriptor may have to be waited for.
pub fn is_waitable(fd: c_int) -> bool {
    records::class(fd) != records::Class::Unwaitable
}

/// A descriptor is about to be closed: who waits for it is woken, and the runtime forgets it. Not where a child of vfork
/// closes it: it stays open here.
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

/// Those who wait for a descriptor by another have to be woken too.
#[cold]
#[inline(never)]
fn closing_stand_ins(fd: c_int) {
    records::stand_ins(fd).for_each(runtime::fd_closing);
}

/// A descriptor is about to become a copy of another; what it led to is closed, if there is another.
pub fn closing_for(from: c_int, fd: c_int) {
    if has_runtime() && fd != from && records::is_awaited(fd) && file_type(from).is_some() {
        closing(fd);
    }
}

/// Descriptors are about to be closed.
pub fn closing_range(first: c_uint, last: c_uint) {
    if has_runtime() {
        records::awaited(first, last).for_each(closing);
    }
}

/// What setsockopt was told.
pub fn set_option(level: c_int, option: c_int) {
    if level == libc::SOL_SOCKET && option == libc::SO_RCVLOWAT {
        records::set_low_water();
    }
}
