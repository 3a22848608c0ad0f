//! Waiting for several descriptors at once, and for time to pass.
//!
//! In a coroutine the real call is made with no time to wait, again and again; between two of them the coroutine waits
//! for what the call is about. So results are always the kernel's: bad descriptors, files that are always ready. A
//! signal mask that holds for the time of the call is in force in the real calls only, which therefore follow
//! each other closely.

use std::cell::Cell;
use std::ffi::{c_int, c_short, c_void};
use std::ptr::{self, NonNull};

use libc::{nfds_t, pollfd, timespec, timeval};

use super::temporary_fd::Passing;
use super::waiting::{SOON_NS, TwoPhaseCall};
use super::{WaitMode, runtime};
use crate::linking::next;
use crate::sys;
use crate::sys::Deadline;
use crate::sys::Memory;

/// The longest that a coroutine waits where signals are to be let through meanwhile.
const SLICE_NS: u64 = 20_000_000;

/// A duration in nanoseconds; 0 where it is none, so that the kernel is asked, and says so.
pub fn ns_of(time: timespec) -> u64 {
    match (u64::try_from(time.tv_sec), u64::try_from(time.tv_nsec)) {
        (Ok(seconds), Ok(ns @ ..1_000_000_000)) => {
            seconds.saturating_mul(1_000_000_000).saturating_add(ns)
        }
        _ => 0,
    }
}

/// Until when a coroutine waits at most before it makes the call again.
#[inline(never)]
fn slice(deadline: Deadline, is_masked: bool) -> Deadline {
    if is_masked {
        deadline.min(Deadline::after(Some(SLICE_NS)))
    } else {
        deadline
    }
}

/// Whether a call is made again after a wait; errno is set where it is not.
#[inline(never)]
fn goes_on(waited: Result<(), c_int>) -> bool {
    match waited {
        // EBADF: the kernel knows best what it says of a descriptor that was closed.
        Ok(()) | Err(libc::EAGAIN | libc::EBADF) => true,
        Err(errno) => {
            sys::set_errno(errno);
            false
        }
    }
}

/// Makes a call by `$now` until it tells of something or the time has passed, with a wait in between. In place, and not by
/// closures: each frame that is above a wait is as much less for the program.
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

/// In place of a descriptor, where there is none.
const NOTHING: c_int = -1;

/// The only one of these, which may be nothing. None where there are more.
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

/// Waits where no descriptor is left for a set, or no memory: looks again soon.
#[cold]
#[inline(never)]
fn wait_without_set<I: Iterator<Item = (c_int, c_short)>>(
    parts: &TwoPhaseCall,
    wanted: impl Fn() -> I,
    deadline: Deadline,
) -> Result<(), c_int> {
    match parts.sleep(deadline.left_ns().map_or(SOON_NS, |ns| ns.min(SOON_NS))) {
        // That cannot be had either. Waits for the first of them at least, as long.
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

/// A set of these descriptors. None where it cannot be had whole.
#[inline(never)]
fn set_of<I: Iterator<Item = (c_int, c_short)>>(wanted: impl Fn() -> I) -> Option<Passing> {
    let set = Passing::set()?;
    for (fd, _) in wanted() {
        // One that stands there twice is in the set once, for all that is wanted of it.
        let events = wanted()
            .filter(|&(other, _)| other == fd)
            .fold(0, |events, (_, more)| events | more);
        let added = set.add(fd, events);
        // Files, which are always ready, and what was closed: the real call has told of those.
        let is_told = [libc::EEXIST, libc::EPERM, libc::EBADF].map(|errno| -(errno as isize));
        if added != 0 && !is_told.contains(&added) {
            return None;
        }
    }
    Some(set)
}

/// `poll`, with a timeout in milliseconds.
///
/// # Safety
/// As of poll(2).
#[inline(always)]
pub unsafe fn poll(
    parts: &TwoPhaseCall,
    array: *mut pollfd,
    count: nfds_t,
    timeout_ms: c_int,
    next: impl Fn() -> c_int,
) -> c_int {
    let ns = u64::try_from(timeout_ms).ok().map(|ms| ms * 1_000_000);
    // SAFETY: as the caller promises.
    unsafe { poll_until(parts, array, count, ns, ptr::null(), next) }
}

/// `ppoll`, with the time in nanoseconds.
///
/// # Safety
/// As of ppoll(2).
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
    // SAFETY: the kernel has just read as many entries.
    let entry = |index| unsafe { array.add(index).read_unaligned() };
    let entry = |index| {
        let entry = entry(index);
        (entry.fd, entry.events)
    };
    repeat!(
        Deadline::after(ns),
        !mask.is_null(),
        // SAFETY: what the caller promises is what the next one asks; the image has started.
        unsafe { next::ppoll(array, count, &raw const zero, mask) },
        |until| {
            // SAFETY: the kernel has just read the array, and it stays where it is.
            match unsafe { poll_by_runtime(parts, coroutine, array, count, until) } {
                Some(waited) => waited,
                None => wait_for_any(parts, count as usize, entry, until),
            }
        }
    )
}

/// Waits for several descriptors by the runtime's own poll. None where it has none, or the array is on a stack that moves
/// away.
///
/// # Safety
/// As of poll(2).
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
    // SAFETY: as the caller promises.
    let result = parts.waiting(|| unsafe { runtime::poll(coroutine, array, count, timeout_ms) })?;
    Some(if result < 0 {
        Err(result.saturating_neg())
    } else {
        Ok(())
    })
}

/// `epoll_wait` and its kin, with the time in nanoseconds; `now` does not wait.
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

/// Words of a set of 1024 descriptors, which is what the C library's own holds.
const SET_WORDS: usize = 16;

/// What a coroutine asks select(2) for, and the three sets as they were before that wrote into them. Those of more than a
/// few descriptors stand in memory of their own, for the stack may be small.
struct Selection {
    count: c_int,
    sets: [*mut c_void; 3],
    mask: *const c_void,
    few: [Cell<u64>; 3],
    many: Option<Memory>,
}

impl Selection {
    /// # Safety
    /// As of select(2): sets are NULL or have `count` bits.
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
                    // SAFETY: as the caller promises; the C library's sets are whole words.
                    unsafe { ptr::copy_nonoverlapping(set.cast(), selection.before(which), words) };
                }
            }
        }
        selection
    }

    /// Whether there was memory for it.
    fn is_whole(&self) -> bool {
        self.many.is_some() || words_of(self.count) <= 1
    }

    /// How many descriptors may be in it.
    fn bits(&self) -> usize {
        usize::try_from(self.count).unwrap_or(0)
    }

    /// One of the sets, as it was.
    fn before(&self, which: usize) -> *mut u64 {
        match &self.many {
            // SAFETY: it is as long as three sets.
            Some(many) => unsafe { many.start().cast::<u64>().add(which * words_of(self.count)) },
            None => self.few[which].as_ptr(),
        }
    }

    /// Makes the call without waiting.
    ///
    /// # Safety
    /// As of select(2), for what it was made of.
    #[inline(never)]
    unsafe fn now(&self) -> c_int {
        let zero = timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        for (which, set) in self.sets.iter().enumerate() {
            if !set.is_null() {
                // SAFETY: as the caller promises; select writes them too.
                unsafe {
                    let words = words_of(self.count);
                    ptr::copy_nonoverlapping(self.before(which), set.cast(), words);
                }
            }
        }
        let [read, write, except] = self.sets;
        // SAFETY: what the caller promises is what the next one asks; the image has started.
        unsafe { next::pselect(self.count, read, write, except, &raw const zero, self.mask) }
    }

    /// What is wanted of a descriptor, which is less than 0 where that is nothing.
    #[inline(never)]
    fn entry(&self, fd: usize) -> (c_int, c_short) {
        let mut events = 0;
        for (which, event) in [libc::POLLIN, libc::POLLOUT, libc::POLLPRI]
            .into_iter()
            .enumerate()
        {
            // SAFETY: a set has a bit for each, and is zeroes where the program has none.
            let word = unsafe { self.before(which).add(fd / 64).read() };
            events |= if word >> (fd % 64) & 1 != 0 { event } else { 0 };
        }
        (if events == 0 { -1 } else { fd as c_int }, events)
    }
}

/// How many words a set of so many descriptors has.
fn words_of(count: c_int) -> usize {
    usize::try_from(count).unwrap_or(0).div_ceil(64)
}

/// `select` and `pselect`. The time in nanoseconds; none is for ever.
///
/// # Safety
/// As of select(2): sets are NULL or have `count` bits.
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
    // SAFETY: as the caller promises.
    let selection = unsafe { Selection::new(count, sets, mask) };
    if !selection.is_whole() {
        super::note_blocked();
        return parts.waiting(next);
    }
    repeat!(
        Deadline::after(ns),
        !mask.is_null(),
        // SAFETY: as the caller promises.
        unsafe { selection.now() },
        |until| wait_for_any(parts, selection.bits(), |fd| selection.entry(fd), until)
    )
}

/// The time that a `timeval` tells in nanoseconds; none for NULL.
///
/// # Safety
/// NULL or a time.
pub unsafe fn ns_of_timeval(time: *const timeval) -> Option<u64> {
    // SAFETY: as the caller promises.
    let time = unsafe { time.as_ref() }?;
    // The kernel takes more than a second of microseconds.
    let microseconds = time.tv_usec;
    Some(ns_of(timespec {
        tv_sec: time.tv_sec.saturating_add(microseconds / 1_000_000),
        tv_nsec: microseconds % 1_000_000 * 1000,
    }))
}

/// The time that a `timespec` tells in nanoseconds; none for NULL.
///
/// # Safety
/// NULL or a time.
pub unsafe fn ns_of_timespec(time: *const timespec) -> Option<u64> {
    // SAFETY: as the caller promises.
    unsafe { time.as_ref() }.map(|time| ns_of(*time))
}

/// `getaddrinfo`, which waits inside the C library: by the runtime where blocking calls may be made, if it has that.
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

/// Waiting for a child, for which a coroutine holds its whole thread: no descriptor tells of the end of any.
pub fn wait_for_child<T>(parts: &TwoPhaseCall, next: impl FnOnce() -> T) -> T {
    if let WaitMode::Coroutine(_) = parts.way() {
        super::note_blocked();
    }
    parts.waiting(next)
}
