//! This moment, on the clocks that regions have.

use rustix::time::{ClockId, clock_gettime};
use weir_record::clock::{self, Moment};

/// This moment.
pub fn now() -> Moment {
    Moment {
        ticks: clock::ticks(),
        monotonic_ns: ns(ClockId::Monotonic),
        unix_ns: ns(ClockId::Realtime),
    }
}

fn ns(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let part = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(part)
}
