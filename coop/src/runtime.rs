//! What a runtime implements.

use crate::{Done, Events, Id, Name, NotDone, PollFd, Work};
use std::ffi::CStr;
use std::io;
use std::ops::{BitOr, Range};
use std::os::fd::RawFd;
use std::time::Duration;

/// A runtime of coroutines that have stacks of their own.
///
/// What is a function must be there. What is a constant may be: it holds a function where the runtime has one.
/// All are called on the threads, and on the stacks, of the coroutines that make the calls, with no lock of Weir's held.
/// An [`io::Error`] that is not of the system, so that there is no number, becomes `EIO`.
///
/// [`current`](Self::current) and [`COROUTINE_NAME`](Self::COROUTINE_NAME) may be called wherever the program calls the
/// C library, so also where the runtime itself allocates: what they look at must not be borrowed or
/// locked then.
pub trait Runtime: 'static {
    /// The runtime's name, for the report.
    const NAME: &'static CStr;

    /// What Weir must know of it.
    const OPTIONS: Options = Options::NONE;

    /// As `poll(2)`, but it lets other coroutines run: says how many of them have
    /// [`revents`](PollFd::revents). Without it, Weir waits for several descriptors by
    /// [`wait_fd`](Self::wait_fd) for an epoll set.
    const POLL: Option<Poll> = None;

    /// Lets other coroutines run for so long. Without it, Weir waits by [`wait_fd`](Self::wait_fd) for a timerfd.
    const SLEEP: Option<Sleep> = None;

    /// A descriptor that coroutines wait for, or have waited for, is about to be closed by a function of the C library:
    /// wakes those who wait, and forgets what is known of the number. What their [`wait_fd`](Self::wait_fd) returns
    /// does not matter: the calls that wait fail with `EBADF`. Without it, they wake when their time has passed.
    const FD_CLOSING: Option<FdClosing> = None;

    /// Where the stack of a coroutine is, from its lowest address to the one above its highest. Weir asks where stacks
    /// are [shared](Options::SHARED_STACKS), so as to copy what would move.
    const STACK_BOUNDS: Option<StackBounds> = None;

    /// Does the work on a thread where it may block, and lets other coroutines run meanwhile. For `getaddrinfo`,
    /// which waits inside the C library where nobody can interpose.
    const RUN_BLOCKING: Option<RunBlocking> = None;

    /// Writes the name of a coroutine; nothing, where it has none. Must not allocate or block.
    const COROUTINE_NAME: Option<CoroutineName> = None;

    /// The coroutine that runs on this thread. Must not allocate, block, or call what blocks: it is called for
    /// every counted call.
    fn current() -> Option<Id>;

    /// Lets other coroutines run until some of `events` happen on the descriptor, or the time has passed (without one:
    /// for ever). Says what happened; [`Events::NONE`] where the time passed. Is called inside coroutines
    /// only. What it calls itself is not made to wait.
    fn wait_fd(fd: RawFd, events: Events, timeout: Option<Duration>) -> io::Result<Events>;
}

/// The type of [`Runtime::POLL`].
pub type Poll = fn(&mut [PollFd], Option<Duration>) -> io::Result<usize>;
/// The type of [`Runtime::SLEEP`].
pub type Sleep = fn(Duration) -> io::Result<()>;
/// The type of [`Runtime::FD_CLOSING`].
pub type FdClosing = fn(RawFd);
/// The type of [`Runtime::STACK_BOUNDS`].
pub type StackBounds = fn(Id) -> io::Result<Range<*mut u8>>;
/// The type of [`Runtime::RUN_BLOCKING`].
pub type RunBlocking = fn(Work) -> Result<Done, NotDone>;
/// The type of [`Runtime::COROUTINE_NAME`].
pub type CoroutineName = fn(Id, &mut Name<'_>);

/// What Weir must know of a runtime.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options(u64);

impl Options {
    /// None of the others.
    pub const NONE: Self = Self(0);
    /// A coroutine may wake up on another thread than the one it waited on.
    pub const MIGRATES: Self = Self(1 << 0);
    /// Coroutines share a stack: what is on it moves away while its coroutine waits.
    pub const SHARED_STACKS: Self = Self(1 << 1);
    /// [`wait_fd`](Runtime::wait_fd) may be called for a descriptor that another coroutine is waiting for.
    pub const MANY_WAITERS: Self = Self(1 << 2);
    /// The runtime interposes blocking calls itself: Weir counts, and never waits.
    pub const INTERPOSES: Self = Self(1 << 3);

    /// These and others; as `|`, but in a constant.
    pub const fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    pub(crate) const fn bits(self) -> u64 {
        self.0
    }
}

impl BitOr for Options {
    type Output = Self;

    fn bitor(self, others: Self) -> Self {
        self.and(others)
    }
}
