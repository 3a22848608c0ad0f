//! The two parts of calls that may block: the wait and the transfer.

use serde::{Deserialize, Serialize};

use super::Latency;

/// The calls of a function that were measured in two parts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Parts {
    /// Calls that were measured in two parts.
    pub calls: u64,
    /// How many of them had to wait.
    pub waits: u64,
    /// Time that the calls waited until they could proceed; 0 for calls that did not wait.
    pub wait: Latency,
    /// The rest of the time of these calls.
    pub transfer: Latency,
}

/// Distribution of durations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Spread {
    /// Number of calls.
    pub calls: u64,
    /// Sum of the durations.
    pub total_ns: u64,
    /// Longest duration.
    pub max_ns: u64,
    /// Calls by duration; only classes that occurred. Each class is about twice as wide as the previous one.
    pub classes: Vec<SpreadClass>,
}

/// Number of calls with a duration in a range.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SpreadClass {
    /// Shortest duration of the class.
    pub from_ns: u64,
    /// Longest duration of the class, inclusive.
    pub to_ns: u64,
    /// Number of calls.
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
