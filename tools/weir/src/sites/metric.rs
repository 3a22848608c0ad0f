//! What is summed, and of which functions.

use weir_record::functions::{Family, Function as Known};
use weir_report::model::{Site, SiteBlocks};
use weir_report::waits;

use crate::cli::{Group, Metric};
use crate::units::Unit;

impl Metric {
    /// That of a site.
    pub fn of(self, site: &Site) -> u64 {
        match self {
            Metric::Bytes => site.requested_bytes,
            Metric::Calls => site.calls,
            Metric::Time => site.time_ns,
            Metric::Moved => site.moved_bytes,
            Metric::Live => blocks(site).live_bytes,
            Metric::Peak => blocks(site).live_bytes_at_peak,
            Metric::Temporary => blocks(site).temporary,
        }
    }

    /// How many calls, or blocks, the sum is of.
    pub fn count(self, site: &Site) -> u64 {
        match self {
            Metric::Live => blocks(site).live,
            _ => site.calls,
        }
    }

    /// What is counted so.
    pub fn count_title(self) -> &'static str {
        match self {
            Metric::Live => "blocks",
            _ => "calls",
        }
    }

    /// The unit, as other tools name it.
    pub fn unit(self) -> Unit {
        match self {
            Metric::Bytes | Metric::Moved | Metric::Live | Metric::Peak => Unit::Bytes,
            Metric::Calls | Metric::Temporary => Unit::Count,
            Metric::Time => Unit::Time,
        }
    }

    /// A sum, for people.
    pub fn shown(self, sum: u64) -> String {
        self.unit().shown(sum.into())
    }

    /// What it is called in a table.
    pub fn title(self) -> &'static str {
        match self {
            Metric::Bytes => "bytes",
            Metric::Calls => "calls",
            Metric::Time => "time",
            Metric::Moved => "moved",
            Metric::Live => "live",
            Metric::Peak => "at peak",
            Metric::Temporary => "temporary",
        }
    }

    /// What it is called in a sentence.
    pub fn words(self) -> &'static str {
        match self {
            Metric::Bytes => "requested bytes",
            Metric::Calls => "calls",
            Metric::Time => "time",
            Metric::Moved => "moved bytes",
            Metric::Live => "live bytes at the end",
            Metric::Peak => "live bytes at the peak",
            Metric::Temporary => "temporary blocks",
        }
    }
}

fn blocks(site: &Site) -> SiteBlocks {
    site.blocks.unwrap_or_default()
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
    /// All that have a meaning: no bytes are moved by allocations, and none are requested by waits.
    pub const ALL: [Choice; 12] = [
        Choice::new(Group::Allocation, Metric::Bytes),
        Choice::new(Group::Allocation, Metric::Calls),
        Choice::new(Group::Allocation, Metric::Peak),
        Choice::new(Group::Allocation, Metric::Live),
        Choice::new(Group::Allocation, Metric::Temporary),
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
            Family::Wait | Family::Lock => Group::Wait,
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

    /// What its sites are listed by, unless something else is asked for. The first one is the most important.
    pub fn metrics(self) -> &'static [Metric] {
        match self {
            Group::Allocation => &[Metric::Bytes, Metric::Peak, Metric::Live, Metric::Temporary],
            Group::Io | Group::Wait => &[Metric::Time],
            Group::Stdio => &[Metric::Moved],
        }
    }

    /// What is summed unless something else is asked for.
    pub fn metric(self) -> Metric {
        self.metrics()[0]
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
            ("pthread_mutex_lock", Group::Wait),
            ("of a later version", Group::Io),
        ] {
            assert_eq!(Group::of(function), group, "{function}");
        }
    }
}
