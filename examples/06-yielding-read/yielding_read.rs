//! Step 6: a `read` that lets other work run while it waits, with the parts that libco's has, and their faults.

use core::cell::Cell;
use core::ffi::{c_int, c_short, c_void};
use core::mem::transmute;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

#[path = "../common/next.rs"]
mod next;
#[path = "../common/say.rs"]
mod say;
use next::Next;

static READ: Next = Next::new(c"read");
static SOCKET: Next = Next::new(c"socket");
static CLOSE: Next = Next::new(c"close");
type Read = unsafe extern "C" fn(c_int, *mut c_void, usize) -> isize;
type Socket = unsafe extern "C" fn(c_int, c_int, c_int) -> c_int;
type Close = unsafe extern "C" fn(c_int) -> c_int;
/// The scheduler's wait, for a descriptor, events and milliseconds: what happened, 0, or an errno, negated.
type Wait = extern "C" fn(c_int, c_short, c_int) -> c_int;
/// How long a read waits at most. libco takes a second; here the reader of the example has to wait for it.
const PATIENCE_MS: c_int = 200;
/// Of which descriptors reads are to wait. What has no place here is not known.
static TABLE: [AtomicBool; 1024] = [const { AtomicBool::new(false) }; 1024];
thread_local! {
    /// How the coroutine that runs lets others run. None: its calls are to go straight through.
    static WAIT: Cell<Option<Wait>> = const { Cell::new(None) };
}

/// Turns the hooks on for the coroutine that runs, or off.
#[unsafe(no_mangle)]
extern "C" fn yield_by(wait: Option<Wait>) {
    WAIT.set(wait);
}

#[unsafe(no_mangle)]
unsafe extern "C" fn read(fd: c_int, buffer: *mut c_void, size: usize) -> isize {
    // SAFETY: the address is that of a read, and never null. The first call asks dlsym, wherever it is made.
    let next = unsafe { transmute::<*mut c_void, Read>(READ.address()) };
    if let (Some(wait), Some(waits)) = (WAIT.get(), TABLE.get(fd as usize))
        && waits.load(Relaxed)
    {
        // Ready, too late, or a signal: the call will show which.
        wait(fd, libc::POLLIN, PATIENCE_MS);
    }
    // SAFETY: passed on as the program called us.
    unsafe { next(fd, buffer, size) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int {
    // SAFETY: the address is that of a socket, and never null; the call is passed on as it came.
    let fd = unsafe { transmute::<*mut c_void, Socket>(SOCKET.address())(domain, kind, protocol) };
    if let (Some(_), Some(waits)) = (WAIT.get(), TABLE.get(fd as usize)) {
        waits.store(kind & libc::SOCK_NONBLOCK == 0, Relaxed);
        // SAFETY: a new socket. From here on the real call never blocks, and the program is not to know.
        unsafe { libc::fcntl(fd, libc::F_SETFL, libc::O_NONBLOCK) };
    }
    fd
}

#[unsafe(no_mangle)]
unsafe extern "C" fn close(fd: c_int) -> c_int {
    if let (Some(_), Some(waits)) = (WAIT.get(), TABLE.get(fd as usize)) {
        waits.store(false, Relaxed);
    }
    // SAFETY: the address is that of a close; the call is passed on as it came.
    unsafe { transmute::<*mut c_void, Close>(CLOSE.address())(fd) }
}
