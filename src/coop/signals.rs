//! Whether a call goes on once a signal's handler has run.
//!
//! The C library's `read` is restarted by the kernel after a handler with SA_RESTART, and fails with EINTR after one
//! without. poll, by which we wait in its place, is never restarted, and does not tell which handler ran. Where
//! all handlers are of one kind that does not matter; where they are of both, waits are left to the real call.

use std::ffi::c_int;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::sys::{self, waiting};

/// Signals with a handler that lets calls go on, by number less one.
static RESTARTING: AtomicU64 = AtomicU64::new(0);
/// Signals with one that does not.
static INTERRUPTING: AtomicU64 = AtomicU64::new(0);
/// What the GNU C library keeps for itself (pthread_cancel, setxid): programs handle neither.
const OF_THE_C_LIBRARY: [c_int; 2] = [32, 33];
static IS_KNOWN: AtomicBool = AtomicBool::new(false);

/// The program has changed how it handles a signal.
pub fn changed(signal: c_int) {
    if super::is_on() && !sys::is_sealed() {
        look(signal);
    }
}

fn look(signal: c_int) {
    let place = signal
        .checked_sub(1)
        .filter(|place| (0..64).contains(place));
    let Some(place) = place.filter(|_| !OF_THE_C_LIBRARY.contains(&signal)) else {
        return;
    };
    let bit = 1_u64 << place;
    let handler = waiting::handler_restarts(signal);
    for (set, is_in) in [
        (&RESTARTING, handler == Some(true)),
        (&INTERRUPTING, handler == Some(false)),
    ] {
        if is_in {
            set.fetch_or(bit, Ordering::Relaxed);
        } else {
            set.fetch_and(!bit, Ordering::Relaxed);
        }
    }
}

fn kinds() -> (bool, bool) {
    if !IS_KNOWN.load(Ordering::Acquire) {
        (1..=64).for_each(look);
        IS_KNOWN.store(true, Ordering::Release);
    }
    (
        RESTARTING.load(Ordering::Relaxed) != 0,
        INTERRUPTING.load(Ordering::Relaxed) != 0,
    )
}

/// Whether the handlers are of both kinds.
pub fn are_mixed() -> bool {
    kinds() == (true, true)
}

/// Whether every handler lets calls go on.
pub fn handlers_restart() -> bool {
    kinds() == (true, false)
}

/// The same, by the kernel's word of now: a program may set handlers by system calls of its own.
pub fn handlers_restart_now() -> bool {
    (1..=64).for_each(look);
    handlers_restart()
}
