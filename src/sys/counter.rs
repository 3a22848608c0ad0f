//! The time-stamp counter, and how to do without it: a thread may have it taken from itself (`PR_SET_TSC`, or
//! seccomp's strict mode), and what it starts begins without. To read it is then a fault, in the kernel's own function
//! for its clocks too.
//!
//! From then on the whole process asks the kernel for the time, but for timed calls of threads that still have the
//! counter; ticks are computed, at the rate that the clocks had until then.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use weir_record::clock::{self, Moment};

use super::{call, is_sealed, monotonic_ns, time_ns};

/// How many times a thread has given up the counter.
static TAKEN: AtomicU32 = AtomicU32::new(0);
/// Whether what follows has been set.
static IS_RATED: AtomicBool = AtomicBool::new(false);
/// A moment when the counter was still there.
static TICKS: AtomicU64 = AtomicU64::new(0);
static MONOTONIC_NS: AtomicU64 = AtomicU64::new(0);
static UNIX_NS: AtomicU64 = AtomicU64::new(0);
/// Ticks per nanosecond, times 2^32.
static RATE: AtomicU64 = AtomicU64::new(1 << 32);

/// Whether a thread has given up the counter: no other may be sure to have it.
#[inline(always)]
pub fn is_taken() -> bool {
    TAKEN.load(Ordering::Relaxed) != 0
}

/// The calling thread is about to give up the counter, in an image that began at this moment.
pub fn take(started: Moment) {
    if !is_taken() && !IS_RATED.swap(true, Ordering::Relaxed) {
        let now = now();
        TICKS.store(now.ticks, Ordering::Relaxed);
        MONOTONIC_NS.store(now.monotonic_ns, Ordering::Relaxed);
        UNIX_NS.store(now.unix_ns, Ordering::Relaxed);
        let ticks = u128::from(now.ticks.wrapping_sub(started.ticks));
        let ns = u128::from(now.monotonic_ns.saturating_sub(started.monotonic_ns));
        let rate = (ticks << 32).checked_div(ns);
        if let Some(rate) = rate.and_then(|rate| u64::try_from(rate).ok()) {
            RATE.store(rate, Ordering::Relaxed);
        }
    }
    TAKEN.fetch_add(1, Ordering::Relaxed);
}

/// It has not been given up.
pub fn give_back() {
    TAKEN.fetch_sub(1, Ordering::Relaxed);
}

/// The time-stamp counter, or what it would show.
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

/// This moment.
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

/// What a clock shows; where the kernel may not be asked either, what it showed when the counter was given up.
#[cold]
pub(super) fn time_ns_without(clock: libc::clockid_t) -> u64 {
    if is_sealed() {
        return match clock {
            libc::CLOCK_REALTIME => UNIX_NS.load(Ordering::Relaxed),
            _ => MONOTONIC_NS.load(Ordering::Relaxed),
        };
    }
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

/// Whether the counter runs at one rate, as the processor says. Asked once: a process may take from itself the right to
/// ask the processor, too (`ARCH_SET_CPUID`), and from what it forks.
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
