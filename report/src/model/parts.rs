//! The two parts of calls that may block: the wait and the transfer.

use serde::{Deserialize, Serialize};

use super::Latency;

/// The calls of a function that were made in two parts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Parts {
    /// Calls that were made in two parts, and timed.
    pub calls: u64,
    /// Those of them that had to wait.
    pub waits: u64,
    /// How long the calls waited until they could go on; those that did not have to count as 0.
    pub wait: Latency,
    /// How long all that was not waiting took.
    pub transfer: Latency,
}

/// How durations are spread.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Spread {
    /// How many there are.
    pub calls: u64,
    /// Their sum.
    pub total_ns: u64,
    /// The longest.
    pub max_ns: u64,
    /// How many there are within bounds; only classes that occurred. Each is about twice as wide as the one before.
    pub classes: Vec<SpreadClass>,
}

/// How many durations are within bounds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SpreadClass {
    /// The shortest of the class.
    pub from_ns: u64,
    /// The longest of the class, inclusive.
    pub to_ns: u64,
    /// How many there are.
    pub calls: u64,
}

impl Spread {
    /// Adds those of another. Processes on one machine have the same classes, give or take the rounding of a clock's
    /// rate: one that begins no further than an eighth from one that is known is the same.
    pub fn add(&mut self, other: &Spread) {
        self.calls = self.calls.saturating_add(other.calls);
        self.total_ns = self.total_ns.saturating_add(other.total_ns);
        self.max_ns = self.max_ns.max(other.max_ns);
        for class in &other.classes {
            let known = self
                .classes
                .iter_mut()
                .find(|known| known.from_ns.abs_diff(class.from_ns) <= class.from_ns / 8);
            match known {
                Some(known) => known.calls = known.calls.saturating_add(class.calls),
                None => {
                    let place = self
                        .classes
                        .partition_point(|known| known.from_ns < class.from_ns);
                    self.classes.insert(place, class.clone());
                }
            }
        }
    }
}
