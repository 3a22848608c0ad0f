//! Step 6: a `read` that lets other work run while it waits, with the parts that libco's has, and their faults.

use core::cell::Cell;
use core::ffi::{c_int, c_short, c_void};
use core::mem;
use core::sync::atomic::{AtomicU8, Ordering};
use libc::{size_t, ssize_t};

#[path = "../common/next.rs"]
mod next;
#[path = "../common/say.rs"]
mod say;
use next::Next;

type Read = unsafe extern "C" fn(c_int, *mut c_void, size_t) -> ssize_t;
type Close = unsafe extern "C" fn(c_int) -> c_int;
type Socketpair = unsafe extern "C" fn(c_int, c_int, c_int, *mut c_int) -> c_int;

/// The scheduler's wait, for a descriptor, events and milliseconds: what happened, 0, or an errno, negated.
type Wait = extern "C" fn(c_int, c_short, c_int) -> c_int;

static READ: Next = Next::new(c"read");
static CLOSE: Next = Next::new(c"close");
static SOCKETPAIR: Next = Next::new(c"socketpair");

/// What is known of a number: nothing, or a socket, and whether its reads are to wait.
static TABLE: [AtomicU8; 1024] = [const { AtomicU8::new(UNKNOWN) }; 1024];
const UNKNOWN: u8 = 0;
const WAITS: u8 = 1;
const NEVER_WAITS: u8 = 2;

/// How long a read waits at most. libco takes a second; here the reader of the example has to wait for it.
const PATIENCE_MS: c_int = 200;

thread_local! {
    /// How the coroutine that runs lets others run. None: its calls are to go straight through.
    static WAIT: Cell<Option<Wait>> = const { Cell::new(None) };
}

/// Turns the hooks on for the coroutine that runs, or off.
#[unsafe(no_mangle)]
extern "C" fn yield_by(wait: Option<Wait>) {
    WAIT.set(wait);
}

fn known(fd: c_int) -> Option<&'static AtomicU8> {
    usize::try_from(fd).ok().and_then(|place| TABLE.get(place))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn read(fd: c_int, buffer: *mut c_void, size: size_t) -> ssize_t {
    // The first call asks dlsym, wherever it is made.
    // SAFETY: the address is that of a read, and never null.
    let next = unsafe { mem::transmute::<*mut c_void, Read>(READ.address()) };
    let Some(wait) = WAIT.get() else {
        // SAFETY: passed on as the program called us.
        return unsafe { next(fd, buffer, size) };
    };
    if known(fd).is_some_and(|place| place.load(Ordering::Relaxed) == WAITS) {
        // Ready, too late, or a signal: whatever came of it, the call will tell.
        wait(fd, libc::POLLIN, PATIENCE_MS);
    }
    // SAFETY: passed on as the program called us.
    unsafe { next(fd, buffer, size) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn socketpair(
    domain: c_int,
    kind: c_int,
    protocol: c_int,
    pair: *mut c_int,
) -> c_int {
    // SAFETY: the address is that of a socketpair, and never null; the call is passed on as it came.
    let result = unsafe {
        mem::transmute::<*mut c_void, Socketpair>(SOCKETPAIR.address())(
            domain, kind, protocol, pair,
        )
    };
    if result == 0 && WAIT.get().is_some() {
        // SAFETY: socketpair has succeeded, so it has written two descriptors there.
        for fd in unsafe { [*pair, *pair.add(1)] } {
            let is_nonblocking = kind & libc::SOCK_NONBLOCK != 0;
            if let Some(place) = known(fd) {
                place.store(
                    if is_nonblocking { NEVER_WAITS } else { WAITS },
                    Ordering::Relaxed,
                );
            }
            // From here on the real call never blocks, and the program is not to know.
            // SAFETY: changes the flags of a socket that was just made.
            unsafe {
                libc::fcntl(
                    fd,
                    libc::F_SETFL,
                    libc::fcntl(fd, libc::F_GETFL) | libc::O_NONBLOCK,
                )
            };
        }
    }
    result
}

#[unsafe(no_mangle)]
unsafe extern "C" fn close(fd: c_int) -> c_int {
    if let (Some(place), true) = (known(fd), WAIT.get().is_some()) {
        place.store(UNKNOWN, Ordering::Relaxed);
    }
    // SAFETY: the address is that of a close; the call is passed on as it came.
    unsafe { mem::transmute::<*mut c_void, Close>(CLOSE.address())(fd) }
}
