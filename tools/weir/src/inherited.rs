//! What weir inherits and its program must get unchanged, while weir itself needs something else: three open standard streams,
//! so that none of its files gets the number of one; and a write to a closed pipe, or beyond the limit on the size of files, that fails, and
//! does not end it.

use std::ffi::CStr;
use std::sync::atomic::{AtomicBool, Ordering};

use libc::c_int;

static SIGPIPE_IGNORED: AtomicBool = AtomicBool::new(false);
static SIGXFSZ_IGNORED: AtomicBool = AtomicBool::new(false);
static STDOUT_CLOSED: AtomicBool = AtomicBool::new(false);

/// Takes them. For the start of `main`, while there is one thread and nothing has been opened.
pub fn take() {
    for fd in 0..3 {
        // SAFETY: asks about a descriptor, which need not be open.
        if unsafe { libc::fcntl(fd, libc::F_GETFD) } == -1 {
            occupy_next();
            if fd == libc::STDOUT_FILENO {
                STDOUT_CLOSED.store(true, Ordering::Relaxed);
            }
        }
    }
    SIGPIPE_IGNORED.store(is_ignored(libc::SIGPIPE), Ordering::Relaxed);
    SIGXFSZ_IGNORED.store(is_ignored(libc::SIGXFSZ), Ordering::Relaxed);
    // SAFETY: no handlers are installed.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_IGN);
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
    }
}

/// Opens the lowest descriptor that is free: to nothing, else so that reading and writing fail. A program finds it closed
/// again.
fn occupy_next() {
    let places: [(&CStr, c_int); 2] = [(c"/dev/null", libc::O_RDWR), (c"/", libc::O_PATH)];
    for (path, how) in places {
        // SAFETY: a string with its end.
        if unsafe { libc::open(path.as_ptr(), how | libc::O_CLOEXEC) } != -1 {
            return;
        }
    }
}

/// Whether standard output was closed: what is written there goes nowhere.
pub fn is_stdout_closed() -> bool {
    STDOUT_CLOSED.load(Ordering::Relaxed)
}

/// What SIGPIPE did: SIG_IGN or SIG_DFL.
pub fn sigpipe() -> libc::sighandler_t {
    disposition(&SIGPIPE_IGNORED)
}

/// What SIGXFSZ did: SIG_IGN or SIG_DFL.
pub fn sigxfsz() -> libc::sighandler_t {
    disposition(&SIGXFSZ_IGNORED)
}

fn disposition(was_ignored: &AtomicBool) -> libc::sighandler_t {
    if was_ignored.load(Ordering::Relaxed) {
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
