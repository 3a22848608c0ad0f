//! Whether a call goes on after a signal handler has run.
//!
//! The kernel restarts `read` after a handler with SA_RESTART; after one without, `read` fails with EINTR. poll, which
//! is used to wait before it, is never restarted, and does not say which handler ran. If all handlers are of one kind,
//! that does not matter. If there are both kinds, the real call waits instead.

use std::ffi::c_int;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::sys::{self, waiting};

/// Signals whose handlers have SA_RESTART: bit n is signal n + 1.
static RESTARTING: AtomicU64 = AtomicU64::new(0);
/// Signals whose handlers do not have SA_RESTART.
static INTERRUPTING: AtomicU64 = AtomicU64::new(0);
/// The signals that the GNU C library uses itself (pthread_cancel, setxid): no program handles them.
const OF_THE_C_LIBRARY: [c_int; 2] = [32, 33];
static IS_KNOWN: AtomicBool = AtomicBool::new(false);

/// Called after the program has changed how it handles a signal.
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

/// Whether there are handlers of both kinds.
pub fn are_mixed() -> bool {
    kinds() == (true, true)
}

/// Whether there are handlers, and all of them have SA_RESTART.
pub fn handlers_restart() -> bool {
    kinds() == (true, false)
}

/// The same, but asks the kernel first: a program may also set handlers by system calls of its own.
pub fn handlers_restart_now() -> bool {
    (1..=64).for_each(look);
    handlers_restart()
}
