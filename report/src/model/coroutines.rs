//! What coroutines did.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};

/// How many coroutines are listed.
pub const LISTED: usize = 256;

/// The calls of each coroutine, those with the most calls first. System calls and allocation calls are counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Coroutines {
    /// The name that the runtime registered.
    pub runtime: String,
    /// The coroutines.
    pub listed: Vec<CoroutineUse>,
    /// Sum of the coroutines that are not listed. Its id and name are empty.
    pub others: CoroutineUse,
    /// Number of entries that were added to `others`. A coroutine can be added more than once.
    pub folded: u64,
    /// Calls of the runtime itself, in the functions that it registered, while coroutines waited; absent where there were
    /// none, or they are not known. Its id and name are empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_runtime: Option<CoroutineUse>,
    /// Calls by coroutines that blocked the whole thread, because the runtime has no function for them: getaddrinfo, which
    /// waits inside the C library, and sleeps that the runtime could not make.
    pub blocked_calls: u64,
}

/// The calls of one coroutine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CoroutineUse {
    /// Process id.
    pub pid: u32,
    /// The pointer that the runtime uses for it, in hexadecimal.
    pub id: String,
    /// Its name; empty where the runtime gives none.
    pub name: String,
    /// Whether the runtime reported its end.
    pub ended: bool,
    /// Calls.
    pub calls: u64,
    /// Bytes that its I/O calls moved.
    pub moved_bytes: u64,
    /// Calls that had to wait.
    pub waits: u64,
    /// Total time of the waits.
    pub wait_ns: u64,
    /// Allocation calls that returned a block.
    pub allocations: u64,
    /// Bytes that it allocated minus bytes that it freed; negative where it frees blocks of others.
    pub live_bytes: i64,
    /// Blocks that it allocated minus blocks that it freed.
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
