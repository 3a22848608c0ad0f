//! What weir was started with, recorded before Rust's runtime changes it: it opens `/dev/null` where
//! a standard stream is closed, and ignores SIGPIPE. The program gets both as they were.

use std::sync::atomic::{AtomicBool, Ordering};

use libc::c_int;

static CLOSED: [AtomicBool; 3] = [const { AtomicBool::new(false) }; 3];
static SIGPIPE_IGNORED: AtomicBool = AtomicBool::new(false);

// SAFETY: the C library calls every function of this section once, before `main`; `record` needs
// nothing that is not there by then.
#[used]
#[unsafe(link_section = ".init_array")]
static RECORD: extern "C" fn() = record;

extern "C" fn record() {
    for (fd, closed) in (0..).zip(&CLOSED) {
        // SAFETY: asks about a descriptor, which need not be open.
        closed.store(
            unsafe { libc::fcntl(fd, libc::F_GETFD) } == -1,
            Ordering::Relaxed,
        );
    }
    SIGPIPE_IGNORED.store(is_ignored(libc::SIGPIPE), Ordering::Relaxed);
}

/// The standard streams, of 0 to 2, that were closed.
pub fn closed_streams() -> impl Iterator<Item = c_int> {
    (0..)
        .zip(&CLOSED)
        .filter(|(_, closed)| closed.load(Ordering::Relaxed))
        .map(|(fd, _)| fd)
}

/// What SIGPIPE did: SIG_IGN or SIG_DFL.
pub fn sigpipe() -> libc::sighandler_t {
    if SIGPIPE_IGNORED.load(Ordering::Relaxed) {
        libc::SIG_IGN
    } else {
        libc::SIG_DFL
    }
}

/// Whether a signal is ignored now.
pub fn is_ignored(signal: c_int) -> bool {
    // SAFETY: a `sigaction` is made of numbers and pointers that may be null.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: only asks; `action` may be written.
    let asked = unsafe { libc::sigaction(signal, std::ptr::null(), &mut action) };
    asked == 0 && action.sa_sigaction == libc::SIG_IGN
}
