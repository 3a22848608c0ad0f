//! What a process takes of the machine.

use serde::{Deserialize, Serialize};

/// What the kernel says of a process that runs (proc_pid_stat(5)): its resident memory, its page faults and its CPU time. `weir run` reads it from
/// outside.
///
/// The counts and times are those of the process since it started, by fork or clone, with all its threads and without its
/// children: a forked process begins with 0, and an exec changes nothing. So an image that began by exec begins with what its
/// process had before. The resident memory is that of the moment: a forked process shares its parent's pages, and an exec
/// begins anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Usage {
    /// Memory of the process that is in RAM, shared pages included. The kernel counts pages in batches, for each processor: some hundred
    /// KiB may be missing or too many.
    pub resident_bytes: u64,
    /// Page faults that took no I/O.
    pub minor_faults: u64,
    /// Page faults that waited for a page to be read from disk.
    pub major_faults: u64,
    /// CPU time in the program, in steps of the kernel's clock ticks: 10 ms.
    pub user_ns: u64,
    /// CPU time in the kernel for the program, in steps of 10 ms.
    pub system_ns: u64,
}
