//! A moment until which something is waited for.

use std::ffi::c_int;

use super::monotonic_ns;

/// The end of a wait, by the monotonic clock. One word: it is on the stack of the caller that waits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(u64);

impl Deadline {
    /// None: the wait has no end.
    pub const NEVER: Deadline = Deadline(u64::MAX);

    /// Of a call that begins now and may wait so long; none is without end.
    #[inline(never)]
    pub fn after(ns: Option<u64>) -> Deadline {
        match ns {
            Some(ns) => Deadline(monotonic_ns().saturating_add(ns).min(u64::MAX - 1)),
            None => Deadline::NEVER,
        }
    }

    /// How much time is left; none is without end.
    #[inline(never)]
    pub fn left_ns(self) -> Option<u64> {
        (self != Deadline::NEVER).then(|| self.0.saturating_sub(monotonic_ns()))
    }

    /// Whether no time is left.
    pub fn has_passed(self) -> bool {
        self.left_ns() == Some(0)
    }

    /// How much time is left in milliseconds, rounded up: a wait is not shorter than what was asked for. -1 is for
    /// ever.
    #[inline(never)]
    pub fn left_ms(self) -> c_int {
        self.left_ns().map_or(-1, |ns| {
            c_int::try_from(ns.div_ceil(1_000_000)).unwrap_or(c_int::MAX)
        })
    }
}
