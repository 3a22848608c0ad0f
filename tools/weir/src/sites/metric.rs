//! What is summed, and of which functions.

use weir_record::functions::{Family, Function as Known};
use weir_report::model::Site;
use weir_report::waits;

use crate::cli::{Group, Metric};
use crate::units;

impl Metric {
    /// That of a site.
    pub fn of(self, site: &Site) -> u64 {
        match self {
            Metric::Bytes => site.requested_bytes,
            Metric::Calls => site.calls,
            Metric::Time => site.time_ns,
            Metric::Moved => site.moved_bytes,
        }
    }

    /// A sum, for people.
    pub fn shown(self, sum: u64) -> String {
        match self {
            Metric::Bytes | Metric::Moved => units::bytes(sum),
            Metric::Calls => units::count(sum),
            Metric::Time => units::time(sum),
        }
    }

    /// What it is called in a table.
    pub fn title(self) -> &'static str {
        match self {
            Metric::Bytes => "bytes",
            Metric::Calls => "calls",
            Metric::Time => "time",
            Metric::Moved => "moved",
        }
    }

    /// What it is called in a sentence.
    pub fn words(self) -> &'static str {
        match self {
            Metric::Bytes => "requested bytes",
            Metric::Calls => "calls",
            Metric::Time => "time",
            Metric::Moved => "moved bytes",
        }
    }
}

/// A sum over the sites of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Which sites.
    pub group: Group,
    /// What is summed.
    pub metric: Metric,
}

impl Choice {
    /// All that tell something: no bytes are moved by allocations, and none are requested by waits.
    pub const ALL: [Choice; 9] = [
        Choice::new(Group::Allocation, Metric::Bytes),
        Choice::new(Group::Allocation, Metric::Calls),
        Choice::new(Group::Io, Metric::Time),
        Choice::new(Group::Io, Metric::Moved),
        Choice::new(Group::Io, Metric::Calls),
        Choice::new(Group::Stdio, Metric::Moved),
        Choice::new(Group::Stdio, Metric::Calls),
        Choice::new(Group::Wait, Metric::Time),
        Choice::new(Group::Wait, Metric::Calls),
    ];

    const fn new(group: Group, metric: Metric) -> Choice {
        Choice { group, metric }
    }

    /// `Allocations by requested bytes`
    pub fn name(self) -> String {
        format!("{} by {}", self.group.name(), self.metric.words())
    }
}

impl Group {
    /// All of them.
    pub const ALL: [Group; 4] = [Group::Allocation, Group::Io, Group::Stdio, Group::Wait];

    /// That of a function, which a later Weir may know and this one not.
    pub fn of(function: &str) -> Group {
        let Some(known) = Known::from_name(function) else {
            return Group::Io;
        };
        match known.row().family {
            Family::Alloc => Group::Allocation,
            Family::Stdio => Group::Stdio,
            Family::Wait => Group::Wait,
            _ if waits(known) => Group::Wait,
            _ => Group::Io,
        }
    }

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Group::Allocation => "Allocations",
            Group::Io => "I/O",
            Group::Stdio => "Calls of stdio",
            Group::Wait => "Waits",
        }
    }

    /// What is summed unless something else is asked for.
    pub fn metric(self) -> Metric {
        match self {
            Group::Allocation => Metric::Bytes,
            Group::Io | Group::Wait => Metric::Time,
            Group::Stdio => Metric::Moved,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_is_in_a_group() {
        for (function, group) in [
            ("malloc", Group::Allocation),
            ("free", Group::Allocation),
            ("read", Group::Io),
            ("mmap", Group::Io),
            ("_IO_file_write", Group::Io),
            ("fwrite", Group::Stdio),
            ("poll", Group::Wait),
            ("accept4", Group::Wait),
            ("of a later version", Group::Io),
        ] {
            assert_eq!(Group::of(function), group, "{function}");
        }
    }
}
