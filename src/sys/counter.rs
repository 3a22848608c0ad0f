//! The time-stamp counter, and how to work without it. A thread may give it up (`PR_SET_TSC`, or seccomp's strict
//! mode), and threads and processes that it starts do not have it either. Then a read of the counter is a fault, also
//! in the kernel's own function for its clocks.
//!
//! From then on, the whole process asks the kernel for the time. Only timed calls of threads that still have the
//! counter read it. Ticks are computed, at the rate that the counter had until then.
//!
//! A sealed process, which may not ask the kernel, has the counter only: there, the time is computed from ticks. The
//! kernel's own function for its clocks does not help, because on many machines it makes a system call (where the
//! kernel's clock is another than the counter, as in some virtual machines).

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence};

use weir_record::clock::{self, Moment};

use super::{call, monotonic_ns, time_ns};

/// How many times a thread has given up the counter.
static TAKEN: AtomicU32 = AtomicU32::new(0);
/// Whether the values below are set.
static IS_RATED: AtomicBool = AtomicBool::new(false);
/// A time at which the counter could still be read: in ticks, and in nanoseconds of both clocks.
static TICKS: AtomicU64 = AtomicU64::new(0);
static MONOTONIC_NS: AtomicU64 = AtomicU64::new(0);
static UNIX_NS: AtomicU64 = AtomicU64::new(0);
/// Ticks per nanosecond, times 2^32.
static RATE: AtomicU64 = AtomicU64::new(1 << 32);

/// Whether a thread has given up the counter. Then no other thread can rely on it.
#[inline(always)]
pub fn is_taken() -> bool {
    TAKEN.load(Ordering::Relaxed) != 0
}

/// Prepares for the calling thread giving up the counter. `started` is the time at which the image began.
pub fn take(started: Moment) {
    compare(started);
    TAKEN.fetch_add(1, Ordering::Relaxed);
}

/// Compares the counter with the kernel's clocks, once, while both can still be read: before the process gives up one
/// or the other. `started` is the time at which the image began.
pub fn compare(started: Moment) {
    if is_taken() || IS_RATED.swap(true, Ordering::Relaxed) {
        return;
    }
    let now = now();
    TICKS.store(now.ticks, Ordering::Relaxed);
    MONOTONIC_NS.store(now.monotonic_ns, Ordering::Relaxed);
    UNIX_NS.store(now.unix_ns, Ordering::Relaxed);
    let ticks = u128::from(now.ticks.wrapping_sub(started.ticks));
    let ns = u128::from(now.monotonic_ns.saturating_sub(started.monotonic_ns));
    let rate = (ticks << 32).checked_div(ns);
    if let Some(rate) = rate.and_then(|rate| u64::try_from(rate).ok())
        && rate > 0
    {
        RATE.store(rate, Ordering::Relaxed);
    }
}

/// Takes that back: the thread has not given up the counter.
pub fn give_back() {
    TAKEN.fetch_sub(1, Ordering::Relaxed);
}

/// The value of the time-stamp counter; if it is given up, the value that it would have.
#[inline(always)]
pub fn ticks() -> u64 {
    if is_taken() {
        computed(monotonic_ns())
    } else {
        clock::ticks()
    }
}

#[cold]
fn computed(monotonic_ns: u64) -> u64 {
    let ns = monotonic_ns.saturating_sub(MONOTONIC_NS.load(Ordering::Relaxed));
    let ticks = (u128::from(ns) * u128::from(RATE.load(Ordering::Relaxed))) >> 32;
    TICKS.load(Ordering::Relaxed).wrapping_add(ticks as u64)
}

/// The current time.
pub fn now() -> Moment {
    if is_taken() {
        let monotonic_ns = monotonic_ns();
        return Moment {
            ticks: computed(monotonic_ns),
            monotonic_ns,
            unix_ns: time_ns(libc::CLOCK_REALTIME),
        };
    }
    Moment {
        ticks: clock::ticks(),
        monotonic_ns: monotonic_ns(),
        unix_ns: time_ns(libc::CLOCK_REALTIME),
    }
}

/// The time of a clock, in nanoseconds, in a sealed process, which may not ask the kernel: computed from the counter.
/// Where that is given up, too, it is the time of the comparison.
#[cold]
#[inline(never)]
pub(super) fn computed_time_ns(clock: libc::clockid_t) -> u64 {
    // With `set_sealed`: the comparison was made before.
    fence(Ordering::Acquire);
    let then = match clock {
        libc::CLOCK_REALTIME => UNIX_NS.load(Ordering::Relaxed),
        _ => MONOTONIC_NS.load(Ordering::Relaxed),
    };
    if is_taken() {
        return then;
    }
    let ticks = clock::ticks().saturating_sub(TICKS.load(Ordering::Relaxed));
    let ns = (u128::from(ticks) << 32) / u128::from(RATE.load(Ordering::Relaxed));
    then.saturating_add(u64::try_from(ns).unwrap_or(u64::MAX))
}

/// The time of a clock, in nanoseconds, without the counter: the kernel is asked.
#[cold]
#[inline(never)]
pub(super) fn asked_time_ns(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let arguments = [clock as usize, (&raw mut time).addr(), 0, 0, 0];
    // SAFETY: `time` may be written.
    unsafe { call(libc::SYS_clock_gettime, arguments) };
    ns(time)
}

fn ns(time: libc::timespec) -> u64 {
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}

/// Whether the counter has a constant rate, as the processor says. The processor is asked once: a process may later
/// give up the right to ask it, also for its children (`ARCH_SET_CPUID`).
pub fn is_steady() -> bool {
    const ASKED: u32 = 1;
    const STEADY: u32 = 2;
    static ANSWER: AtomicU32 = AtomicU32::new(0);
    let mut answer = ANSWER.load(Ordering::Relaxed);
    if answer == 0 {
        answer = ASKED | if clock::is_invariant() { STEADY } else { 0 };
        ANSWER.store(answer, Ordering::Relaxed);
    }
    answer & STEADY != 0
}
