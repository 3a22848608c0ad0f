//! What is known of a descriptor as far as waiting is concerned: whether it can be waited for, and whether
//! the program wants its calls to wait.
//!
//! A record is made when a call first has to know. What the descriptor leads to holds until it is closed. Whether it
//! blocks, and for how long, belongs to the open file, which others may share: dup, and other processes. So
//! whatever changes that here ([`changed_mode`]) makes all records ask again; and where this process has forked, or
//! did not make the descriptor, the kernel is asked each time. It is asked where a call is about to wait, never
//! where one succeeds at once.

use std::ffi::c_int;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use crate::descriptors::{Descriptors, PAGE, Place};
use crate::sys::waiting::{self, Timeout};
use crate::vfork;

/// What a descriptor leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Nothing that can be waited for: a file, a directory, a block device; or nothing at all.
    Unwaitable = 1,
    /// A socket: each call can be told not to block.
    Socket = 2,
    /// A terminal, an eventfd and the like.
    Other = 3,
    /// A pipe, with a name or without.
    Pipe = 4,
}

/// What the program wants of the calls on a descriptor.
#[derive(Clone, Copy, Debug)]
pub struct Mode {
    /// They fail where they would have to wait (O_NONBLOCK).
    pub is_nonblocking: bool,
    /// How long they wait to receive (SO_RCVTIMEO), where that has a bound, in nanoseconds.
    pub receive_ns: Option<u64>,
    /// How long they wait to send (SO_SNDTIMEO), in nanoseconds.
    pub send_ns: Option<u64>,
    /// It was opened to write only, or to read only: those the other way fail at once.
    pub is_unreadable: bool,
    /// See there.
    pub is_unwritable: bool,
}

/// A descriptor's record. Its word: the class in the lowest byte, then three bits of the mode, whether this process
/// made it, and in the upper half the epoch in which the mode was asked for; 0 is nothing known.
pub struct Record {
    word: AtomicU64,
    /// Coroutines that wait for it, and [`AWAITED`].
    waiters: AtomicU32,
    /// How often it was closed while coroutines waited for it.
    closes: AtomicU32,
}

// SAFETY: made of atomics, for which zeroes are valid.
unsafe impl Place for Record {}

const NONBLOCKING: u64 = 1 << 8;
const RECEIVE_IS_BOUNDED: u64 = 1 << 9;
const SEND_IS_BOUNDED: u64 = 1 << 10;
/// This process made it.
const OWN: u64 = 1 << 11;
/// The latest call that received had to wait.
const WAITS: u64 = 1 << 12;
/// Four bits: how often that has been taken to be so of the next one, too.
const GUESSES: u64 = 0xf << 13;
const GUESS: u64 = 1 << 13;
const UNREADABLE: u64 = 1 << 17;
const UNWRITABLE: u64 = 1 << 18;
const MODE: u64 = NONBLOCKING | RECEIVE_IS_BOUNDED | SEND_IS_BOUNDED | UNREADABLE | UNWRITABLE;

/// Among the waiters of a record: coroutines have waited for it, and the runtime has not been told that it was closed.
const AWAITED: u32 = 1 << 31;

static RECORDS: Descriptors<Record> = Descriptors::new(
    [const {
        Record {
            word: AtomicU64::new(0),
            waiters: AtomicU32::new(0),
            closes: AtomicU32::new(0),
        }
    }; PAGE],
);

/// Never 0: a word of that epoch has its mode.
static EPOCH: AtomicU32 = AtomicU32::new(1);
/// Whether a socket may have been told to wait for more than a byte (SO_RCVLOWAT).
static HAS_LOW_WATER: AtomicBool = AtomicBool::new(false);
/// Whether another process may share what this one has open.
static IS_SHARED: AtomicBool = AtomicBool::new(false);

/// A mode was changed, of what any number of descriptors may lead to.
pub fn changed_mode() {
    if EPOCH.fetch_add(1, Ordering::Relaxed) == u32::MAX {
        EPOCH.fetch_add(1, Ordering::Relaxed);
    }
}

/// A socket was told to wait for more than a byte.
pub fn set_low_water() {
    HAS_LOW_WATER.store(true, Ordering::Relaxed);
}

/// Whether a try without blocking may find less than a call that blocks.
pub fn has_low_water() -> bool {
    HAS_LOW_WATER.load(Ordering::Relaxed)
}

/// The process has forked, or is a fork.
pub fn forked() {
    IS_SHARED.store(true, Ordering::Relaxed);
}

/// In a child of fork: what coroutines waited for is the parent's affair. A runtime that took it out of a set of
/// descriptors would take it out of its parent's, which is the same.
pub fn forget_waits() {
    for fd in RECORDS.within(0, u32::MAX) {
        if let Some(record) = RECORDS.get(fd) {
            record.waiters.fetch_and(!AWAITED, Ordering::Relaxed);
        }
    }
}

/// A descriptor is about to be another's, or just became so.
#[inline]
pub fn forget(fd: c_int) {
    if let Some(record) = RECORDS.get(fd)
        && record.word.load(Ordering::Relaxed) != 0
    {
        record.word.store(0, Ordering::Relaxed);
    }
}

/// A descriptor was made by this process, for an open file of its own.
pub fn made(fd: c_int) {
    if let Some(record) = RECORDS.get_or_make(fd) {
        record.word.store(OWN, Ordering::Relaxed);
    }
}

/// A descriptor was duplicated.
pub fn duplicated(from: c_int, to: c_int) {
    let is_own = RECORDS
        .get(from)
        .is_some_and(|record| record.word.load(Ordering::Relaxed) & OWN != 0);
    if is_own {
        made(to);
    } else {
        forget(to);
    }
}

/// Every descriptor from `first` to `last` is closed.
pub fn forget_range(first: u32, last: u32) {
    RECORDS.within(first, last).for_each(forget);
}

/// What a descriptor leads to.
pub fn class(fd: c_int) -> Class {
    let record = RECORDS.get_or_make(fd);
    if let Some(record) = record {
        match record.word.load(Ordering::Relaxed) & 0xff {
            1 => return Class::Unwaitable,
            2 => return Class::Socket,
            3 => return Class::Other,
            4 => return Class::Pipe,
            _ => {}
        }
    }
    let class = match waiting::file_type(fd) {
        None => return Class::Unwaitable,
        Some(libc::S_IFSOCK) => Class::Socket,
        Some(libc::S_IFIFO) => Class::Pipe,
        Some(libc::S_IFREG | libc::S_IFDIR | libc::S_IFBLK | libc::S_IFLNK) => Class::Unwaitable,
        Some(_) => Class::Other,
    };
    if let Some(record) = record
        && !vfork::is_child()
    {
        let own = record.word.load(Ordering::Relaxed) & OWN;
        record.word.store(own | class as u64, Ordering::Relaxed);
    }
    class
}

/// What the program wants of the calls on a descriptor of this class.
pub fn mode(fd: c_int, class: Class) -> Mode {
    let epoch = u64::from(EPOCH.load(Ordering::Relaxed)) << 32;
    let record = RECORDS.get(fd);
    let word = record.map_or(0, |record| record.word.load(Ordering::Relaxed));
    let is_known =
        word & !0xffff_ffff == epoch && word & OWN != 0 && !IS_SHARED.load(Ordering::Relaxed);
    let bits = if is_known {
        word & MODE
    } else {
        let bits = ask(fd, class);
        if let Some(record) = record
            && !vfork::is_child()
        {
            let word = epoch | (word & (OWN | WAITS | GUESSES)) | bits | class as u64;
            record.word.store(word, Ordering::Relaxed);
        }
        bits
    };
    let bound = |bit, which| {
        (bits & bit != 0)
            .then(|| waiting::socket_timeout(fd, which))
            .flatten()
    };
    Mode {
        is_nonblocking: bits & NONBLOCKING != 0,
        receive_ns: bound(RECEIVE_IS_BOUNDED, Timeout::Receive),
        send_ns: bound(SEND_IS_BOUNDED, Timeout::Send),
        is_unreadable: bits & UNREADABLE != 0,
        is_unwritable: bits & UNWRITABLE != 0,
    }
}

fn ask(fd: c_int, class: Class) -> u64 {
    let mut bits = 0;
    let flags = waiting::status_flags(fd).max(0);
    if flags & libc::O_NONBLOCK != 0 {
        bits |= NONBLOCKING;
    }
    bits |= match flags & libc::O_ACCMODE {
        libc::O_WRONLY => UNREADABLE,
        libc::O_RDONLY => UNWRITABLE,
        _ => 0,
    };
    if class == Class::Socket {
        if waiting::socket_timeout(fd, Timeout::Receive).is_some() {
            bits |= RECEIVE_IS_BOUNDED;
        }
        if waiting::socket_timeout(fd, Timeout::Send).is_some() {
            bits |= SEND_IS_BOUNDED;
        }
    }
    bits
}

/// Whether a call that receives will find nothing, as those before it did. It is tried all the same once in a while, so
/// as to find out when that has changed.
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

/// Says whether a call that received had to wait, or will have to since it has taken all that there was.
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
    /// Whether others wait for the same.
    pub is_one_of_several: bool,
}

impl Waiter {
    /// One more waits.
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

    /// It waits no longer. Whether the descriptor has been closed meanwhile.
    pub fn end(self) -> bool {
        RECORDS.get(self.fd).is_some_and(|record| {
            record.waiters.fetch_sub(1, Ordering::Relaxed);
            record.closes.load(Ordering::Relaxed) != self.closes
        })
    }
}

/// Whether the runtime may know a descriptor, because a coroutine has waited for it.
pub fn is_awaited(fd: c_int) -> bool {
    RECORDS
        .get(fd)
        .is_some_and(|record| record.waiters.load(Ordering::Relaxed) & AWAITED != 0)
}

/// A descriptor is about to be closed, and the runtime to be told.
pub fn closing(fd: c_int) {
    if let Some(record) = RECORDS.get(fd)
        && record.waiters.fetch_and(!AWAITED, Ordering::Relaxed) & !AWAITED != 0
    {
        record.closes.fetch_add(1, Ordering::Relaxed);
    }
}

/// Every descriptor from `first` to `last` that the runtime may know.
pub fn awaited(first: u32, last: u32) -> impl Iterator<Item = c_int> {
    RECORDS.within(first, last).filter(|&fd| is_awaited(fd))
}
