//! The time until which a call waits.

use std::ffi::c_int;

use super::monotonic_ns;

/// The end of a wait, by the monotonic clock. It is one word, because it is on the stack of the caller that waits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(u64);

impl Deadline {
    /// The wait has no end.
    pub const NEVER: Deadline = Deadline(u64::MAX);

    /// The deadline of a call that begins now and may wait for `ns` nanoseconds; `None`: without limit.
    #[inline(never)]
    pub fn after(ns: Option<u64>) -> Deadline {
        match ns {
            Some(ns) => Deadline(monotonic_ns().saturating_add(ns).min(u64::MAX - 1)),
            None => Deadline::NEVER,
        }
    }

    /// The remaining time in nanoseconds. `None` without limit.
    #[inline(never)]
    pub fn left_ns(self) -> Option<u64> {
        (self != Deadline::NEVER).then(|| self.0.saturating_sub(monotonic_ns()))
    }

    /// Whether no time is left.
    pub fn has_passed(self) -> bool {
        self.left_ns() == Some(0)
    }

    /// The remaining time in milliseconds, rounded up, so that a wait is not shorter than requested. -1 without
    /// limit.
    #[inline(never)]
    pub fn left_ms(self) -> c_int {
        self.left_ns().map_or(-1, |ns| {
            c_int::try_from(ns.div_ceil(1_000_000)).unwrap_or(c_int::MAX)
        })
    }
}
