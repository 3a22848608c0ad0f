//! Files and sockets.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{SizeClass, Spread};

/// The calls on each file and socket, by name: those with the most time first, then those with the most bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Files {
    /// The files and sockets.
    pub listed: Vec<FileUse>,
    /// Sum of the files and sockets that are not listed, and of calls on descriptors of which nothing is known. Its kind is
    /// `other`, its name empty.
    pub others: FileUse,
    /// Number of files and sockets that are in `others`, as far as Weir could distinguish them.
    pub folded: u64,
    /// The sums of all files and sockets of each kind, also of those that are not listed. `other` has also the calls on
    /// descriptors of which nothing is known, and those on files for which Weir had no room. Absent in reports of earlier
    /// versions.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub kinds: BTreeMap<String, KindUse>,
}

/// The calls on all files or sockets of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KindUse {
    /// Calls that read from them.
    pub reads: u64,
    /// Calls that wrote to them.
    pub writes: u64,
    /// Calls that did neither.
    pub other_calls: u64,
    /// Bytes that were read.
    pub read_bytes: u64,
    /// Bytes that were written.
    pub written_bytes: u64,
    /// Total time of the calls that read. Where a call has two parts, both.
    pub read_ns: u64,
    /// Total time of the calls that wrote.
    pub write_ns: u64,
    /// Total time of the calls that did neither.
    pub other_ns: u64,
}

impl KindUse {
    /// Adds the calls on a file or socket.
    pub fn add_file(&mut self, file: &FileUse) {
        self.add(&KindUse {
            reads: file.reads,
            writes: file.writes,
            other_calls: file.other_calls,
            read_bytes: file.read_bytes,
            written_bytes: file.written_bytes,
            read_ns: file.read_ns,
            write_ns: file.write_ns,
            other_ns: file.other_ns,
        });
    }

    /// Adds others.
    pub fn add(&mut self, other: &KindUse) {
        for (to, by) in [
            (&mut self.reads, other.reads),
            (&mut self.writes, other.writes),
            (&mut self.other_calls, other.other_calls),
            (&mut self.read_bytes, other.read_bytes),
            (&mut self.written_bytes, other.written_bytes),
            (&mut self.read_ns, other.read_ns),
            (&mut self.write_ns, other.write_ns),
            (&mut self.other_ns, other.other_ns),
        ] {
            *to = to.saturating_add(by);
        }
    }
}

/// The calls on one file or socket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FileUse {
    /// Its kind: `file`, `directory`, `device`, `terminal`, `pipe`, `tcp`, `udp`, `unix`, `socketpair`, `socket`,
    /// `epoll`, `eventfd`, `timerfd`, `signalfd`, `memfd`, `other`.
    pub kind: String,
    /// Its path when it was opened. For a socket, its address: `at` its own, `to` the peer's; `accepted from` the peer's `at` the
    /// listener's. Empty where there is no name. A name that is too long is cut: `…` and its end.
    pub name: String,
    /// Number of descriptors that were opened for it.
    pub opens: u64,
    /// Calls that read from it.
    pub reads: u64,
    /// Calls that wrote to it.
    pub writes: u64,
    /// Other calls on its descriptors.
    pub other_calls: u64,
    /// Calls of all kinds that failed.
    pub errors: u64,
    /// Bytes read.
    pub read_bytes: u64,
    /// Bytes written.
    pub written_bytes: u64,
    /// Bytes that were mapped into memory. It is not known how many of them were read or written.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub mapped_bytes: u64,
    /// Total time of the reads.
    pub read_ns: u64,
    /// Total time of the writes.
    pub write_ns: u64,
    /// Total time of the other calls.
    pub other_ns: u64,
    /// Reads and writes that began where the previous one ended, where there are offsets.
    pub sequential: u64,
    /// Reads and writes that began at another offset.
    pub random: u64,
    /// Reads after a write, and writes after a read.
    pub switches: u64,
    /// Reads and writes by moved bytes; only classes that occurred.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub size_classes: Vec<SizeClass>,
    /// The slowest call, where any was timed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slowest: Option<SlowestUse>,
    /// The waits of the calls that were measured in two parts; absent where there were none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<Spread>,
    /// The rest of the time of these calls; absent where there were none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer: Option<Spread>,
}

/// The slowest call on a file or socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SlowestUse {
    /// The function.
    pub function: String,
    /// Duration of the call.
    pub took_ns: u64,
    /// Time from the start of its image to the start of the call.
    pub at_ns: u64,
    /// Process id.
    pub pid: u32,
    /// Bytes that it moved.
    pub moved_bytes: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl FileUse {
    /// All calls.
    pub fn calls(&self) -> u64 {
        self.reads
            .saturating_add(self.writes)
            .saturating_add(self.other_calls)
    }

    /// All time.
    pub fn total_ns(&self) -> u64 {
        self.read_ns
            .saturating_add(self.write_ns)
            .saturating_add(self.other_ns)
    }

    /// All bytes.
    pub fn bytes(&self) -> u64 {
        self.read_bytes.saturating_add(self.written_bytes)
    }

    /// Adds what was done to another, or to the same by another process.
    pub fn add(&mut self, other: &FileUse) {
        for (to, by) in [
            (&mut self.opens, other.opens),
            (&mut self.reads, other.reads),
            (&mut self.writes, other.writes),
            (&mut self.other_calls, other.other_calls),
            (&mut self.errors, other.errors),
            (&mut self.read_bytes, other.read_bytes),
            (&mut self.written_bytes, other.written_bytes),
            (&mut self.mapped_bytes, other.mapped_bytes),
            (&mut self.read_ns, other.read_ns),
            (&mut self.write_ns, other.write_ns),
            (&mut self.other_ns, other.other_ns),
            (&mut self.sequential, other.sequential),
            (&mut self.random, other.random),
            (&mut self.switches, other.switches),
        ] {
            *to = to.saturating_add(by);
        }
        for class in &other.size_classes {
            match self
                .size_classes
                .binary_search_by_key(&class.from_bytes, |known| known.from_bytes)
            {
                Ok(place) => {
                    let calls = &mut self.size_classes[place].calls;
                    *calls = calls.saturating_add(class.calls);
                }
                Err(place) => self.size_classes.insert(place, class.clone()),
            }
        }
        let slowness = |slowest: &Option<SlowestUse>| slowest.as_ref().map(|slow| slow.took_ns);
        if slowness(&other.slowest) > slowness(&self.slowest) {
            self.slowest.clone_from(&other.slowest);
        }
        for (to, by) in [
            (&mut self.wait, &other.wait),
            (&mut self.transfer, &other.transfer),
        ] {
            if let Some(by) = by {
                to.get_or_insert_default().add(by);
            }
        }
    }
}
