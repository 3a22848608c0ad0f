//! Files and sockets.

use serde::{Deserialize, Serialize};

use super::{SizeClass, Spread};

/// What was done to files and sockets, each by name: those with the most time first, then those with the most
/// bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Files {
    /// The files and sockets.
    pub listed: Vec<FileUse>,
    /// What was counted together: files and sockets that are not listed, and calls on descriptors of which
    /// nothing is known. Its kind is `other`, its name empty.
    pub others: FileUse,
    /// How many files and sockets are in `others` and not in `listed`, as far as they were told apart.
    pub folded: u64,
}

/// What was done to one file or socket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FileUse {
    /// What it is: `file`, `directory`, `device`, `terminal`, `pipe`, `tcp`, `udp`, `unix`, `socketpair`, `socket`,
    /// `epoll`, `eventfd`, `timerfd`, `signalfd`, `memfd`, `other`.
    pub kind: String,
    /// Its path when it was opened; of a socket, the address that it is bound or connected `to`, or who it
    /// was `accepted from`; empty for what has no name. The end of a name that is too long, after `…`.
    pub name: String,
    /// Descriptors that were made for it.
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
    /// Bytes that were mapped into memory. What was read or written there is not known.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub mapped_bytes: u64,
    /// Time of the reads.
    pub read_ns: u64,
    /// Time of the writes.
    pub write_ns: u64,
    /// Time of the other calls.
    pub other_ns: u64,
    /// Reads and writes that began where the one before them ended; of what has offsets.
    pub sequential: u64,
    /// Reads and writes that began elsewhere.
    pub random: u64,
    /// Reads after a write, and writes after a read.
    pub switches: u64,
    /// Reads and writes by the bytes that they moved; only classes that occurred.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub size_classes: Vec<SizeClass>,
    /// The slowest call, where any was timed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slowest: Option<SlowestUse>,
    /// Of calls that were made in two parts, the waits; absent where none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<Spread>,
    /// Of calls that were made in two parts, all that was not waiting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer: Option<Spread>,
}

/// The slowest call on a file or socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SlowestUse {
    /// The function.
    pub function: String,
    /// How long the call took.
    pub took_ns: u64,
    /// When it began, after the start of its image.
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
