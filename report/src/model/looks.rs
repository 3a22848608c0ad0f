//! Whether threads slept while they were in slow calls.

use serde::{Deserialize, Serialize};

/// What `weir run` found when it looked at threads that were in a slow call: how many looks found the thread in which state
/// (proc_pid_stat(5)).
///
/// `weir run` looks from outside at calls that have been under way for 2 ms, every 2 ms at most, and after 32 ms each time that a call has
/// become older by a 16th. Calls of functions that wait (`wait` and `lock` in `activities`) come last, and each time that they have become
/// older by half. All looks together take at most a hundredth of a processor. So the looks are samples: the shares of the states show how a
/// call spent its time, and the number of looks shows how far that can be relied on.
///
/// There are none where `weir run` cannot be sure of the process or the thread: /proc does not show it, the process ended within 5 ms, or
/// the thread is not the first one of a process in another pid namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Looks {
    /// The thread was asleep, and a signal would have woken it: it waited for a peer, a pipe, a lock, or time to pass.
    pub asleep: u64,
    /// The thread was asleep, and no signal would have woken it: most often, it waited for a disk.
    pub disk: u64,
    /// The thread had a processor, or waited for one: it worked, in the kernel or in a handler of a signal.
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
