//! What coroutines did.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};

/// How many coroutines are listed.
pub const LISTED: usize = 256;

/// What each coroutine did: those with the most calls first. Calls are those that ask something of the kernel, and
/// allocation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Coroutines {
    /// The runtime that registered itself, as it calls itself.
    pub runtime: String,
    /// The coroutines.
    pub listed: Vec<CoroutineUse>,
    /// What was counted together: coroutines that are not listed. Its pointer and name are empty.
    pub others: CoroutineUse,
    /// How many entries are in `others`; a coroutine that went in and came back is more than one.
    pub folded: u64,
    /// What the runtime itself called while coroutines waited, in the functions that it registered; absent where that is
    /// nothing, or not known. Its pointer and name are empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_runtime: Option<CoroutineUse>,
    /// Calls that blocked a whole thread although a coroutine made them (getaddrinfo, which waits inside the C
    /// library; a sleep that the runtime could not make), because the runtime offers no way around.
    pub blocked_calls: u64,
}

/// What one coroutine did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CoroutineUse {
    /// Process id.
    pub pid: u32,
    /// The pointer by which the runtime knows it, in hexadecimal.
    pub id: String,
    /// Its name; empty where the runtime gives none.
    pub name: String,
    /// Whether the runtime said that it is no more.
    pub ended: bool,
    /// Calls.
    pub calls: u64,
    /// Bytes that its calls moved.
    pub moved_bytes: u64,
    /// Calls that had to wait.
    pub waits: u64,
    /// Time of the waits.
    pub wait_ns: u64,
    /// Allocation calls that made a block.
    pub allocations: u64,
    /// Bytes that it allocated less bytes that it freed (one that frees what others allocated is negative).
    pub live_bytes: i64,
    /// Blocks that it allocated less blocks that it freed.
    pub live_blocks: i64,
}

impl CoroutineUse {
    fn add(&mut self, other: &CoroutineUse) {
        for (to, by) in [
            (&mut self.calls, other.calls),
            (&mut self.moved_bytes, other.moved_bytes),
            (&mut self.waits, other.waits),
            (&mut self.wait_ns, other.wait_ns),
            (&mut self.allocations, other.allocations),
        ] {
            *to = to.saturating_add(by);
        }
        self.live_bytes = self.live_bytes.saturating_add(other.live_bytes);
        self.live_blocks = self.live_blocks.saturating_add(other.live_blocks);
    }
}

impl Coroutines {
    /// In order, and what is beyond the first 256 with the others.
    pub fn cut(&mut self) {
        self.listed
            .sort_by_key(|one| Reverse((one.calls, one.wait_ns)));
        for one in self.listed.drain(LISTED.min(self.listed.len())..) {
            self.others.add(&one);
            self.folded = self.folded.saturating_add(1);
        }
    }

    /// Those of several process images together; none where none has any.
    pub fn together<'a>(images: impl Iterator<Item = &'a Coroutines>) -> Option<Coroutines> {
        let mut sum: Option<Coroutines> = None;
        for image in images {
            let sum = sum.get_or_insert_with(|| Coroutines {
                runtime: image.runtime.clone(),
                ..Coroutines::default()
            });
            sum.listed.extend(image.listed.iter().cloned());
            sum.others.add(&image.others);
            if let Some(own) = &image.by_runtime {
                sum.by_runtime.get_or_insert_default().add(own);
            }
            sum.folded = sum.folded.saturating_add(image.folded);
            sum.blocked_calls = sum.blocked_calls.saturating_add(image.blocked_calls);
        }
        if let Some(sum) = &mut sum {
            sum.cut();
        }
        sum
    }
}
