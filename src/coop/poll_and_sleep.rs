//! Waiting for several descriptors at once, and for time to pass.
//!
//! In a coroutine the real call is repeated with a timeout of 0. Between two of these calls the coroutine waits for the
//! descriptors. So all results come from the kernel, for bad descriptors and for files that are always ready, too. A
//! signal mask that is an argument of the call is in force only during the real calls. So these then follow each other
//! closely.

use std::cell::Cell;
use std::ffi::{c_int, c_short, c_void};
use std::ptr::{self, NonNull};

use libc::{nfds_t, pollfd, timespec, timeval};

use super::temporary_fd::Passing;
use super::waiting::{SOON_NS, TwoPhaseCall};
use super::{WaitMode, runtime};
use crate::linking::next;
use crate::program_memory::read;
use crate::sys;
use crate::sys::Deadline;
use crate::sys::Memory;

/// The longest wait of a coroutine in nanoseconds, if the call has a signal mask: the signals that the mask allows
/// arrive only during the real calls.
const SLICE_NS: u64 = 20_000_000;

/// Converts a time to nanoseconds. An invalid time is 0, so that the real call is made, and fails.
pub fn ns_of(time: timespec) -> u64 {
    match (u64::try_from(time.tv_sec), u64::try_from(time.tv_nsec)) {
        (Ok(seconds), Ok(ns @ ..1_000_000_000)) => {
            seconds.saturating_mul(1_000_000_000).saturating_add(ns)
        }
        _ => 0,
    }
}

/// The latest end of the coroutine's wait before it makes the call again.
#[inline(never)]
fn slice(deadline: Deadline, is_masked: bool) -> Deadline {
    if is_masked {
        deadline.min(Deadline::after(Some(SLICE_NS)))
    } else {
        deadline
    }
}

/// Whether the call is made again after a wait. If not, sets errno.
#[inline(never)]
fn goes_on(waited: Result<(), c_int>) -> bool {
    match waited {
        // EBADF: the descriptor was closed; the real call gives the result for that.
        Ok(()) | Err(libc::EAGAIN | libc::EBADF) => true,
        Err(errno) => {
            sys::set_errno(errno);
            false
        }
    }
}

/// Repeats the call `$now`, with a wait after each, until it returns something else than 0 or the time has passed. A
/// macro and not a function with closures: the stack may be small, and each frame above a wait takes part of it.
macro_rules! repeat {
    ($deadline:expr, $is_masked:expr, $now:expr, |$until:ident| $wait:expr) => {{
        let deadline = $deadline;
        loop {
            let result = $now;
            if result != 0 || deadline.has_passed() {
                break result;
            }
            let $until = slice(deadline, $is_masked);
            if !goes_on($wait) {
                break -1;
            }
        }
    }};
}

/// Stands for a descriptor if there is none.
const NOTHING: c_int = -1;

/// Returns the only descriptor with its events; [`NOTHING`] if there is none. `None` if there is more than one.
#[inline(never)]
fn only(mut wanted: impl Iterator<Item = (c_int, c_short)>) -> Option<(c_int, c_short)> {
    let first = wanted.next().unwrap_or((NOTHING, 0));
    wanted.next().is_none().then_some(first)
}

/// Waits until something may have happened to one of the descriptors.
#[inline(always)]
fn wait_for_any(
    parts: &TwoPhaseCall,
    count: usize,
    entry: impl Fn(usize) -> (c_int, c_short),
    deadline: Deadline,
) -> Result<(), c_int> {
    let wanted = || (0..count).map(&entry).filter(|&(fd, _)| fd >= 0);
    match only(wanted()) {
        Some((NOTHING, _)) => {
            let ns = deadline
                .left_ns()
                .unwrap_or(u64::from(u32::MAX) * 1_000_000);
            return parts.sleep(ns);
        }
        Some((fd, events)) => return parts.wait(fd, events, deadline),
        None => {}
    }
    match set_of(wanted) {
        Some(set) => parts.wait(set.fd(), libc::POLLIN, deadline),
        None => wait_without_set(parts, wanted, deadline),
    }
}

/// Waits if no descriptor or no memory is left for a set: at most [`SOON_NS`], and then the call is made again.
#[cold]
#[inline(never)]
fn wait_without_set<I: Iterator<Item = (c_int, c_short)>>(
    parts: &TwoPhaseCall,
    wanted: impl Fn() -> I,
    deadline: Deadline,
) -> Result<(), c_int> {
    match parts.sleep(deadline.left_ns().map_or(SOON_NS, |ns| ns.min(SOON_NS))) {
        // The runtime cannot sleep without a descriptor either. So this waits for the first of them, equally long.
        Err(libc::EMFILE) => {
            let soon = deadline.min(Deadline::after(Some(SOON_NS)));
            match wanted().find(|&(_, events)| events != 0) {
                Some((fd, events)) => parts.wait(fd, events, soon),
                None => Err(libc::EMFILE),
            }
        }
        slept => slept,
    }
}

/// Makes a set of these descriptors. `None` if that fails for any of them.
#[inline(never)]
fn set_of<I: Iterator<Item = (c_int, c_short)>>(wanted: impl Fn() -> I) -> Option<Passing> {
    let set = Passing::set()?;
    for (fd, _) in wanted() {
        // A descriptor that occurs twice is in the set once, with the events of both entries.
        let events = wanted()
            .filter(|&(other, _)| other == fd)
            .fold(0, |events, (_, more)| events | more);
        let added = set.add(fd, events);
        // The real call has reported files, which are always ready, and closed descriptors.
        let reported = [libc::EEXIST, libc::EPERM, libc::EBADF].map(|errno| -(errno as isize));
        if added != 0 && !reported.contains(&added) {
            return None;
        }
    }
    Some(set)
}

/// `poll`, with a timeout in milliseconds; a negative timeout is no limit.
///
/// # Safety
/// The same contract as poll(2).
#[inline(always)]
pub unsafe fn poll(
    parts: &TwoPhaseCall,
    array: *mut pollfd,
    count: nfds_t,
    timeout_ms: c_int,
    next: impl Fn() -> c_int,
) -> c_int {
    let ns = u64::try_from(timeout_ms).ok().map(|ms| ms * 1_000_000);
    // SAFETY: the caller guarantees it, and ppoll asks no more without a mask.
    unsafe { poll_until(parts, array, count, ns, ptr::null(), next) }
}

/// `ppoll`, with a timeout in nanoseconds; `None` is no limit.
///
/// # Safety
/// The same contract as ppoll(2).
#[inline(always)]
pub unsafe fn poll_until(
    parts: &TwoPhaseCall,
    array: *mut pollfd,
    count: nfds_t,
    ns: Option<u64>,
    mask: *const c_void,
    next: impl Fn() -> c_int,
) -> c_int {
    if ns == Some(0) {
        return next();
    }
    let WaitMode::Coroutine(coroutine) = parts.way() else {
        return parts.waiting(next);
    };
    let zero = timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the real call has just succeeded, so the array has `count` entries that can be read.
    let entry = |index| unsafe { array.add(index).read_unaligned() };
    let entry = |index| {
        let entry = entry(index);
        (entry.fd, entry.events)
    };
    repeat!(
        Deadline::after(ns),
        !mask.is_null(),
        // SAFETY: the next function has the same contract, and our caller keeps it. The image has started.
        unsafe { next::ppoll(array, count, &raw const zero, mask) },
        |until| {
            // SAFETY: the kernel has just read the array, and the caller guarantees that it stays there.
            match unsafe { poll_by_runtime(parts, coroutine, array, count, until) } {
                Some(waited) => waited,
                None => wait_for_any(parts, count as usize, entry, until),
            }
        }
    )
}

/// Waits for several descriptors by the runtime's own poll. `None` if the runtime has none, or if the array is on a
/// stack that is moved away while the coroutine waits.
///
/// # Safety
/// The same contract as poll(2).
#[inline(never)]
unsafe fn poll_by_runtime(
    parts: &TwoPhaseCall,
    coroutine: NonNull<c_void>,
    array: *mut pollfd,
    count: nfds_t,
    until: Deadline,
) -> Option<Result<(), c_int>> {
    if count <= 1 || runtime::moves(coroutine, array.cast()) {
        return None;
    }
    let timeout_ms = until.left_ms();
    // SAFETY: the caller guarantees it.
    let result = parts.waiting(|| unsafe { runtime::poll(coroutine, array, count, timeout_ms) })?;
    Some(if result < 0 {
        Err(result.saturating_neg())
    } else {
        Ok(())
    })
}

/// `epoll_wait` and the like, with a timeout in nanoseconds; `None` is no limit. `now` makes the call without waiting.
#[inline(always)]
pub fn epoll(
    parts: &TwoPhaseCall,
    fd: c_int,
    ns: Option<u64>,
    is_masked: bool,
    now: impl Fn() -> c_int,
    next: impl Fn() -> c_int,
) -> c_int {
    if ns == Some(0) {
        return next();
    }
    if parts.way() == WaitMode::Thread {
        return parts.waiting(next);
    }
    repeat!(Deadline::after(ns), is_masked, now(), |until| parts.wait(
        fd,
        libc::POLLIN,
        until
    ))
}

/// How many 64-bit words a set of 1024 descriptors has. The C library's `fd_set` is that large.
const SET_WORDS: usize = 16;

/// The arguments of select(2) in a coroutine, and copies of the three sets from before the first call, which overwrites
/// them. Copies of sets with more than 64 descriptors are in memory of their own, because the stack may be small.
struct Selection {
    count: c_int,
    sets: [*mut c_void; 3],
    mask: *const c_void,
    few: [Cell<u64>; 3],
    many: Option<Memory>,
}

impl Selection {
    /// # Safety
    /// The same contract as select(2): each set is NULL, or has `count` bits.
    #[inline(never)]
    unsafe fn new(count: c_int, sets: [*mut c_void; 3], mask: *const c_void) -> Selection {
        let words = words_of(count);
        let selection = Selection {
            count,
            sets,
            mask,
            few: [const { Cell::new(0) }; 3],
            many: if words > 1 {
                Memory::new(3 * words * size_of::<u64>())
            } else {
                None
            },
        };
        if selection.is_whole() {
            for (which, set) in sets.iter().enumerate() {
                if !set.is_null() {
                    // SAFETY: the caller guarantees the set; an `fd_set` has whole words, and the copy has as many.
                    unsafe { ptr::copy_nonoverlapping(set.cast(), selection.before(which), words) };
                }
            }
        }
        selection
    }

    /// Whether there was memory for the copies.
    fn is_whole(&self) -> bool {
        self.many.is_some() || words_of(self.count) <= 1
    }

    /// How many descriptors may be in a set.
    fn bits(&self) -> usize {
        usize::try_from(self.count).unwrap_or(0)
    }

    /// The copy of one of the sets.
    fn before(&self, which: usize) -> *mut u64 {
        match &self.many {
            // SAFETY: the memory is as long as three sets, and `which` is less than 3.
            Some(many) => unsafe { many.start().cast::<u64>().add(which * words_of(self.count)) },
            None => self.few[which].as_ptr(),
        }
    }

    /// Makes the call with a timeout of 0.
    ///
    /// # Safety
    /// The same contract as select(2), for the arguments of `new`.
    #[inline(never)]
    unsafe fn now(&self) -> c_int {
        let zero = timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        for (which, set) in self.sets.iter().enumerate() {
            if !set.is_null() {
                // SAFETY: the caller guarantees the sets; select writes to them, too.
                unsafe {
                    let words = words_of(self.count);
                    ptr::copy_nonoverlapping(self.before(which), set.cast(), words);
                }
            }
        }
        let [read, write, except] = self.sets;
        // SAFETY: the next function has the same contract, and our caller keeps it. The image has started.
        unsafe { next::pselect(self.count, read, write, except, &raw const zero, self.mask) }
    }

    /// A descriptor and the events that the program waits for. The descriptor is -1 if there are none.
    #[inline(never)]
    fn entry(&self, fd: usize) -> (c_int, c_short) {
        let mut events = 0;
        for (which, event) in [libc::POLLIN, libc::POLLOUT, libc::POLLPRI]
            .into_iter()
            .enumerate()
        {
            // SAFETY: the caller's `fd` is less than `bits()`. The copy has a bit for it; it is all zeroes if the
            // program passed no set.
            let word = unsafe { self.before(which).add(fd / 64).read() };
            events |= if word >> (fd % 64) & 1 != 0 { event } else { 0 };
        }
        (if events == 0 { -1 } else { fd as c_int }, events)
    }
}

/// How many 64-bit words a set of `count` descriptors has.
fn words_of(count: c_int) -> usize {
    usize::try_from(count).unwrap_or(0).div_ceil(64)
}

/// `select` and `pselect`, with a timeout in nanoseconds; `None` is no limit.
///
/// # Safety
/// The same contract as select(2): each set is NULL, or has `count` bits.
#[inline(always)]
pub unsafe fn select(
    parts: &TwoPhaseCall,
    count: c_int,
    sets: [*mut c_void; 3],
    ns: Option<u64>,
    mask: *const c_void,
    next: impl Fn() -> c_int,
) -> c_int {
    if ns == Some(0) || words_of(count) > SET_WORDS {
        return next();
    }
    if parts.way() == WaitMode::Thread {
        return parts.waiting(next);
    }
    // SAFETY: the caller guarantees it.
    let selection = unsafe { Selection::new(count, sets, mask) };
    if !selection.is_whole() {
        super::note_blocked();
        return parts.waiting(next);
    }
    repeat!(
        Deadline::after(ns),
        !mask.is_null(),
        // SAFETY: the caller guarantees the arguments of `new`.
        unsafe { selection.now() },
        |until| wait_for_any(parts, selection.bits(), |fd| selection.entry(fd), until)
    )
}

/// Converts a `timeval` to nanoseconds; `None` for NULL. 0 where it cannot be read: then the call is made as it is, and fails.
pub fn ns_of_timeval(time: *const timeval) -> Option<u64> {
    if time.is_null() {
        return None;
    }
    let ns = read(time).map_or(0, |time| {
        // The kernel accepts a million microseconds and more.
        let microseconds = time.tv_usec;
        ns_of(timespec {
            tv_sec: time.tv_sec.saturating_add(microseconds / 1_000_000),
            tv_nsec: microseconds % 1_000_000 * 1000,
        })
    });
    Some(ns)
}

/// The same of a `timespec`.
pub fn ns_of_timespec(time: *const timespec) -> Option<u64> {
    (!time.is_null()).then(|| read(time).map_or(0, ns_of))
}

/// `getaddrinfo`, which waits inside the C library. In a coroutine, the runtime makes the call where it may block, if
/// it can.
pub fn resolve(parts: &TwoPhaseCall, next: impl Fn() -> c_int) -> c_int {
    let WaitMode::Coroutine(coroutine) = parts.way() else {
        return parts.waiting(next);
    };
    let mut result = None;
    let mut work = || result = Some((next(), sys::errno()));
    let has_run = parts.waiting(|| runtime::run_blocking(coroutine, &mut work));
    match result {
        Some((result, errno)) if has_run => {
            sys::set_errno(errno);
            result
        }
        _ => {
            super::note_blocked();
            parts.waiting(next)
        }
    }
}

/// Waits for a child. A coroutine blocks its thread for that, because no descriptor becomes ready when any child ends.
pub fn wait_for_child<T>(parts: &TwoPhaseCall, next: impl FnOnce() -> T) -> T {
    if let WaitMode::Coroutine(_) = parts.way() {
        super::note_blocked();
    }
    parts.waiting(next)
}
