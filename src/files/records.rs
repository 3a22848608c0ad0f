//! What is known of a descriptor with regard to waiting, and what the program wants of its calls.
//!
//! **The kind of the file** is asked of the kernel when a call first needs it, and kept until the descriptor is
//! closed. A number can get another file while no hook sees it (`daemon`, inline system calls). So the kept kind
//! alone never decides what a call does. A try on a file that is no longer a socket fails with ENOTSOCK and has no
//! effect. The caller then asks the kernel again ([`class_now`]).
//!
//! **Whether calls wait, and for how long**, belongs to the open file. Many descriptors may share it, also in
//! processes that this one does not know. So it is never kept. The kernel is asked each time that a call is about to
//! wait ([`mode`]), and not if the call succeeds at once.

use std::ffi::c_int;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::descriptors::{Descriptors, PAGE, Place};
use crate::process::vfork;
use crate::sys::Deadline;
use crate::sys::waiting::{self, Timeout};

/// The direction in which bytes go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To the program.
    In,
    /// From the program.
    Out,
}

impl Direction {
    /// The events of poll(2) to wait for.
    pub fn events(self) -> i16 {
        match self {
            Direction::In => libc::POLLIN,
            Direction::Out => libc::POLLOUT,
        }
    }
}

/// The kind of file that a descriptor leads to, with regard to waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Nobody can wait for it: a file, a directory, a block device, or no file at all.
    Unwaitable = 1,
    /// A socket: each call can have a flag that makes it return at once.
    Socket = 2,
    /// A terminal, an eventfd or the like.
    Other = 3,
    /// A pipe, with a name or without.
    Pipe = 4,
}

/// What the program wants of the calls that move bytes in one direction on a descriptor. A `Result` of it fits into
/// two registers.
#[derive(Clone, Copy, Debug)]
pub struct Mode {
    /// The calls fail instead of waiting (O_NONBLOCK).
    pub is_nonblocking: bool,
    /// The longest time that the calls wait, in nanoseconds (SO_RCVTIMEO, SO_SNDTIMEO); `None` without a limit.
    pub bound_ns: Option<NonZeroU64>,
    /// The file is open for the other direction only: the calls fail at once.
    pub is_wrong_end: bool,
}

impl Mode {
    /// The time until which a call that begins now may wait.
    pub fn deadline(self) -> Deadline {
        Deadline::after(self.bound_ns.map(NonZeroU64::get))
    }
}

/// A descriptor's record. Its word has the class in the lowest byte, and above it what is guessed of the next call.
/// 0: nothing is known.
pub struct Record {
    word: AtomicU32,
    /// The number of coroutines that wait for it, and [`AWAITED`].
    waiters: AtomicU32,
    /// How often it was closed while coroutines waited for it.
    closes: AtomicU32,
    /// For a descriptor of Weir's own that a coroutine waits for in place of the program's ([`stands_for`]): the
    /// program's descriptor, plus one. Else 0.
    stands_for: AtomicU32,
}

const _: () = assert!(size_of::<Result<Mode, c_int>>() == 16);

// SAFETY: the record consists of atomics, for which zeroes are valid.
unsafe impl Place for Record {}

const CLASS: u32 = 0xff;
/// The latest call that received had to wait.
const WAITS: u32 = 1 << 12;
/// Four bits: how many calls in a row were expected to wait because of [`WAITS`].
const GUESSES: u32 = 0xf << 13;
const GUESS: u32 = 1 << 13;

/// A bit among the waiters of a record: coroutines have waited for the descriptor, and the runtime has not been
/// informed that it was closed.
const AWAITED: u32 = 1 << 31;

static RECORDS: Descriptors<Record> = Descriptors::new(
    [const {
        Record {
            word: AtomicU32::new(0),
            waiters: AtomicU32::new(0),
            closes: AtomicU32::new(0),
            stands_for: AtomicU32::new(0),
        }
    }; PAGE],
);

/// Whether a socket may have been set to wait for more than one byte (SO_RCVLOWAT).
static HAS_LOW_WATER: AtomicBool = AtomicBool::new(false);
/// Records that a socket was set to wait for more than one byte.
pub fn set_low_water() {
    HAS_LOW_WATER.store(true, Ordering::Relaxed);
}

/// Whether a try that does not block may find less than a call that blocks.
pub fn has_low_water() -> bool {
    HAS_LOW_WATER.load(Ordering::Relaxed)
}

/// Forgets, in a child of fork, that coroutines wait: they are the parent's. If the child's runtime removed a
/// descriptor from its epoll set, it would remove it from the parent's, which is the same set.
pub fn forget_waits() {
    for fd in RECORDS.within(0, u32::MAX) {
        if let Some(record) = RECORDS.get(fd) {
            record.waiters.fetch_and(!AWAITED, Ordering::Relaxed);
        }
    }
}

/// Forgets what is known of a descriptor that is about to get another file, or has just got one.
#[inline]
pub fn forget(fd: c_int) {
    if let Some(record) = RECORDS.get(fd)
        && record.word.load(Ordering::Relaxed) != 0
    {
        record.word.store(0, Ordering::Relaxed);
    }
}

/// The same for all descriptors from `first` to `last`, which are closed.
pub fn forget_range(first: u32, last: u32) {
    RECORDS.within(first, last).for_each(forget);
}

/// The class of a descriptor's file; the kernel is asked only if it is not known.
#[inline(never)]
pub fn class(fd: c_int) -> Class {
    let word = RECORDS
        .get(fd)
        .map_or(0, |record| record.word.load(Ordering::Relaxed));
    match word & CLASS {
        1 => Class::Unwaitable,
        2 => Class::Socket,
        3 => Class::Other,
        4 => Class::Pipe,
        _ => class_now(fd),
    }
}

/// The class of a descriptor's file, as the kernel says now.
#[cold]
#[inline(never)]
pub fn class_now(fd: c_int) -> Class {
    let class = match waiting::file_type(fd) {
        None => {
            forget(fd);
            return Class::Unwaitable;
        }
        Some(libc::S_IFSOCK) => Class::Socket,
        Some(libc::S_IFIFO) => Class::Pipe,
        Some(libc::S_IFREG | libc::S_IFDIR | libc::S_IFBLK | libc::S_IFLNK) => Class::Unwaitable,
        Some(_) => Class::Other,
    };
    if !vfork::is_child()
        && let Some(record) = RECORDS.get_or_make(fd)
    {
        record.word.store(class as u32, Ordering::Relaxed);
    }
    class
}

/// What the program wants of the calls on a descriptor of this class that move bytes in this direction.
///
/// # Errors
/// ENOTSOCK if the class is [`Class::Socket`], but the file is not a socket.
#[inline(never)]
pub fn mode(fd: c_int, class: Class, direction: Direction) -> Result<Mode, c_int> {
    let bound_ns = if class == Class::Socket {
        let which = match direction {
            Direction::In => Timeout::Receive,
            Direction::Out => Timeout::Send,
        };
        waiting::socket_timeout(fd, which)?
    } else {
        None
    };
    let flags = waiting::status_flags(fd).max(0);
    let wrong_end = match direction {
        Direction::In => libc::O_WRONLY,
        Direction::Out => libc::O_RDONLY,
    };
    Ok(Mode {
        is_nonblocking: flags & libc::O_NONBLOCK != 0,
        bound_ns,
        is_wrong_end: flags & libc::O_ACCMODE == wrong_end,
    })
}

/// Whether a call failed because the file is no longer a socket. Such a call had no effect.
#[inline(never)]
pub fn is_no_socket(fd: c_int, failed: bool) -> bool {
    failed && crate::sys::errno() == libc::ENOTSOCK && class_now(fd) != Class::Socket
}

/// Whether to expect that a call that receives finds nothing, as the previous one did. Every sixteenth time in a row
/// the answer is no, so that a try finds out whether that has changed.
#[inline(never)]
pub fn expects_wait(fd: c_int) -> bool {
    let Some(record) = RECORDS.get(fd) else {
        return false;
    };
    let word = record.word.load(Ordering::Relaxed);
    if word & WAITS == 0 {
        return false;
    }
    let guesses = (word & GUESSES) + GUESS;
    record
        .word
        .fetch_xor((word ^ guesses) & GUESSES, Ordering::Relaxed);
    guesses & GUESSES != 0
}

/// Stores whether the next call that receives is expected to wait: this one had to, or has taken all that there was.
#[inline(never)]
pub fn expect_wait(fd: c_int, waits: bool) {
    if let Some(record) = RECORDS.get(fd)
        && (record.word.load(Ordering::Relaxed) & WAITS != 0) != waits
    {
        if waits {
            record.word.fetch_or(WAITS, Ordering::Relaxed);
        } else {
            record.word.fetch_and(!WAITS, Ordering::Relaxed);
        }
    }
}

/// A coroutine that waits for a descriptor.
pub struct Waiter {
    fd: c_int,
    closes: u32,
    /// Whether other coroutines wait for the same descriptor.
    pub is_one_of_several: bool,
}

impl Waiter {
    /// Registers one more waiting coroutine.
    #[inline(never)]
    pub fn new(fd: c_int) -> Waiter {
        let (before, closes) = match RECORDS.get_or_make(fd) {
            Some(record) => {
                let before = record.waiters.fetch_add(1, Ordering::Relaxed);
                if before & AWAITED == 0 {
                    record.waiters.fetch_or(AWAITED, Ordering::Relaxed);
                }
                (before, record.closes.load(Ordering::Relaxed))
            }
            None => (0, 0),
        };
        Waiter {
            fd,
            closes,
            is_one_of_several: before & !AWAITED != 0,
        }
    }

    /// The descriptor that it waits for.
    pub fn fd(&self) -> c_int {
        self.fd
    }

    /// Whether the descriptor has been closed meanwhile.
    #[inline(never)]
    pub fn was_closed(&self) -> bool {
        RECORDS
            .get(self.fd)
            .is_some_and(|record| record.closes.load(Ordering::Relaxed) != self.closes)
    }

    /// Ends the wait and returns its result; EBADF instead if the descriptor has been closed meanwhile.
    #[inline(never)]
    pub fn end(self, result: Result<(), c_int>) -> Result<(), c_int> {
        if let Some(record) = RECORDS.get(self.fd) {
            record.waiters.fetch_sub(1, Ordering::Relaxed);
        }
        if self.was_closed() {
            return Err(libc::EBADF);
        }
        result
    }
}

/// Whether the runtime may know a descriptor, because a coroutine has waited for it.
pub fn is_awaited(fd: c_int) -> bool {
    RECORDS
        .get(fd)
        .is_some_and(|record| record.waiters.load(Ordering::Relaxed) & AWAITED != 0)
}

/// Prepares for the close of a descriptor. The caller informs the runtime of the close. Returns whether several
/// coroutines wait for the descriptor.
pub fn closing(fd: c_int) -> bool {
    let Some(record) = RECORDS.get(fd) else {
        return false;
    };
    let waiters = record.waiters.fetch_and(!AWAITED, Ordering::Relaxed) & !AWAITED;
    if waiters > 0 {
        record.closes.fetch_add(1, Ordering::Relaxed);
    }
    waiters > 1
}

/// Stores that a coroutine waits for `ours`, a descriptor of Weir's own, in place of `other`; `None`: no longer.
pub fn stands_for(ours: c_int, other: Option<c_int>) {
    if let Some(record) = RECORDS.get_or_make(ours) {
        let other = other.map_or(0, |fd| fd.cast_unsigned() + 1);
        record.stands_for.store(other, Ordering::Relaxed);
    }
}

/// The descriptors of Weir's own that coroutines wait for in place of `fd`.
pub fn stand_ins(fd: c_int) -> impl Iterator<Item = c_int> {
    RECORDS.within(0, u32::MAX).filter(move |&ours| {
        let stands_for = RECORDS.get(ours).map(|record| &record.stands_for);
        stands_for.is_some_and(|of| of.load(Ordering::Relaxed) == fd.cast_unsigned() + 1)
    })
}

/// A descriptor of the program's that no coroutine waits for and that has none of these events now. `None` if none is
/// found.
pub fn idle(events: i16) -> Option<c_int> {
    /// How many descriptors are looked at. If there is a suitable one, it is among the first.
    const ASKED: usize = 1024;
    RECORDS.within(0, u32::MAX).take(ASKED).find(|&fd| {
        let is_awaited = RECORDS
            .get(fd)
            .is_some_and(|record| record.waiters.load(Ordering::Relaxed) & !AWAITED != 0);
        !is_awaited
            && matches!(class_now(fd), Class::Socket | Class::Pipe)
            && waiting::poll_now(fd, events) == 0
    })
}

/// All descriptors from `first` to `last` that the runtime may know.
pub fn awaited(first: u32, last: u32) -> impl Iterator<Item = c_int> {
    RECORDS.within(first, last).filter(|&fd| is_awaited(fd))
}
