//! Whether threads slept while they were in slow calls.

use serde::{Deserialize, Serialize};

/// What `weir run` found when it looked at threads that were in a slow call: how many looks found the thread in which state
/// (proc_pid_stat(5)).
///
/// `weir run` looks from outside at calls that have been under way for 2 ms: every 2 ms at most; after 32 ms, when another 16th of the
/// call's age has passed. All looks together take at most a hundredth of a processor; calls that wait (`wait` and `lock` in `activities`)
/// come last. So the looks are samples: the shares of the states tell how a call spent its time, and the number of looks tells how much
/// that can be relied on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Looks {
    /// The thread was asleep, in a sleep that a signal ends: it waited for a peer, a pipe, a lock, or time to pass.
    pub asleep: u64,
    /// The thread was in a sleep that no signal ends: most often, it waited for a disk.
    pub disk: u64,
    /// The thread had a processor, or waited for one: it worked in the kernel.
    pub running: u64,
    /// The thread was stopped, by a signal or a debugger.
    pub stopped: u64,
}

impl Looks {
    /// How many looks there were.
    pub fn sum(&self) -> u64 {
        let states = [self.asleep, self.disk, self.running, self.stopped];
        states.into_iter().fold(0, u64::saturating_add)
    }

    /// Adds other looks.
    pub fn add(&mut self, by: &Looks) {
        for (to, by) in [
            (&mut self.asleep, by.asleep),
            (&mut self.disk, by.disk),
            (&mut self.running, by.running),
            (&mut self.stopped, by.stopped),
        ] {
            *to = to.saturating_add(by);
        }
    }

    /// Those of several together; none where there are none.
    pub fn together(parts: impl Iterator<Item = Looks>) -> Option<Looks> {
        parts.reduce(|mut sum, part| {
            sum.add(&part);
            sum
        })
    }
}
