//! What is summed, and of which functions.

use weir_record::functions::{Family, Function as Known};
use weir_report::model::Site;
use weir_report::waits;

use crate::cli::Metric;
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

/// What is not to be added up, or hides the rest, is apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Allocation.
    Allocation,
    /// Input and output: what the kernel is asked for.
    Io,
    /// What the program asks of stdio. When a buffer is full or empty, stdio asks the kernel: that is in `Io`.
    Stdio,
    /// Waiting.
    Wait,
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
