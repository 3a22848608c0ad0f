//! Calls that sleep.
//!
//! The runtime makes them. They end as the kernel's do: after all of the time, or with EINTR and the time that was
//! left. If the runtime cannot sleep, the call blocks the thread, and that is counted.

use std::ffi::{c_int, c_uint};

use libc::timespec;

use super::WaitMode;
use super::poll_and_sleep::ns_of;
use super::waiting::TwoPhaseCall;
use crate::program_memory::read;
use crate::sys;
use crate::sys::waiting::put;

/// Sleeps for `ns` nanoseconds in a coroutine. The error is how many nanoseconds were left when a signal ended the
/// sleep. `None` if the runtime cannot sleep.
fn sleep(parts: &TwoPhaseCall, ns: u64) -> Option<Result<(), u64>> {
    let until = sys::monotonic_ns().saturating_add(ns);
    match parts.sleep(ns) {
        Ok(()) => Some(Ok(())),
        Err(libc::EINTR) => Some(Err(until.saturating_sub(sys::monotonic_ns()))),
        Err(_) => {
            super::note_blocked();
            None
        }
    }
}

/// `sleep`.
pub fn sleep_seconds(parts: &TwoPhaseCall, seconds: c_uint, next: impl Fn() -> c_uint) -> c_uint {
    if parts.way() == WaitMode::Thread {
        return parts.waiting(next);
    }
    match sleep(parts, u64::from(seconds) * 1_000_000_000) {
        Some(Ok(())) => 0,
        Some(Err(left)) => (left / 1_000_000_000) as c_uint,
        None => parts.waiting(next),
    }
}

/// `usleep`.
pub fn usleep(parts: &TwoPhaseCall, microseconds: c_uint, next: impl Fn() -> c_int) -> c_int {
    if parts.way() == WaitMode::Thread {
        return parts.waiting(next);
    }
    match sleep(parts, u64::from(microseconds) * 1000) {
        Some(Ok(())) => 0,
        Some(Err(_)) => {
            sys::set_errno(libc::EINTR);
            -1
        }
        None => parts.waiting(next),
    }
}

/// `nanosleep`.
pub fn nanosleep(
    parts: &TwoPhaseCall,
    time: *const timespec,
    left: *mut timespec,
    next: impl Fn() -> c_int,
) -> c_int {
    let now = || match next() {
        0 => 0,
        _ => sys::errno(),
    };
    match clock_nanosleep(parts, libc::CLOCK_MONOTONIC, 0, time, left, now) {
        0 => 0,
        errno => {
            sys::set_errno(errno);
            -1
        }
    }
}

/// `clock_nanosleep`, which returns 0 or an errno.
pub fn clock_nanosleep(
    parts: &TwoPhaseCall,
    clock: c_int,
    flags: c_int,
    time: *const timespec,
    left: *mut timespec,
    next: impl Fn() -> c_int,
) -> c_int {
    if parts.way() == WaitMode::Thread {
        return parts.waiting(next);
    }
    let is_known = matches!(
        clock,
        libc::CLOCK_REALTIME | libc::CLOCK_MONOTONIC | libc::CLOCK_BOOTTIME
    );
    // If the time is unreadable or invalid, the real call returns the error.
    let Some(given) = read(time)
        .filter(|time| is_known && time.tv_sec >= 0 && (0..1_000_000_000).contains(&time.tv_nsec))
    else {
        return next();
    };
    let is_absolute = flags & libc::TIMER_ABSTIME != 0;
    let mut ns = ns_of(given);
    if is_absolute {
        ns = ns.saturating_sub(sys::time_ns(clock));
    }
    match sleep(parts, ns) {
        Some(Ok(())) => 0,
        Some(Err(left_ns)) => {
            let rest = timespec {
                tv_sec: (left_ns / 1_000_000_000) as i64,
                tv_nsec: (left_ns % 1_000_000_000) as i64,
            };
            match is_absolute || left.is_null() || put(left, rest) {
                true => libc::EINTR,
                false => libc::EFAULT,
            }
        }
        None => parts.waiting(next),
    }
}
