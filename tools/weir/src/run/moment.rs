//! This moment, on the clocks that regions have.

use std::sync::OnceLock;

use rustix::time::{ClockId, clock_gettime};
use weir_record::clock::{self, Moment};
use weir_record::region::{Circumstance, Header};

/// This moment.
pub fn now() -> Moment {
    Moment {
        ticks: clock::ticks(),
        monotonic_ns: ns(ClockId::Monotonic),
        unix_ns: ns(ClockId::Realtime),
    }
}

/// Whether the machine's time-stamp counter never changes its rate. A virtual machine takes microseconds for the first
/// answer.
pub fn is_steady() -> bool {
    static IS_STEADY: OnceLock<bool> = OnceLock::new();
    *IS_STEADY.get_or_init(clock::is_invariant)
}

/// Notes in a region whether that counter may change its rate: what counts there has not asked.
pub fn note_steadiness(header: &Header) {
    if !is_steady() {
        header.note(Circumstance::UnsteadyClock);
    }
}

fn ns(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let part = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(part)
}
