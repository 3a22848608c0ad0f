//! Calls that had not returned.

use serde::{Deserialize, Serialize};

/// A call that a thread had begun, and that had not returned when its image ended, or when the report was made.
///
/// There is one for each thread at most, of the calls that do I/O or wait: the latest that it made. A call that a signal
/// handler interrupts, and that goes on after it, is not told where the handler made calls of its own; one that was left by
/// a jump (`siglongjmp`) is, until its thread makes another or ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InFlight {
    /// Thread id.
    pub tid: u32,
    /// The function.
    pub function: String,
    /// File descriptor, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fd: Option<i32>,
    /// What the descriptor led to, as [`super::FileUse::kind`] has it, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The name of what the descriptor led to, where it has one and that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// When it began, after the start of its image, within a millisecond; absent where calls were not timed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_ns: Option<u64>,
    /// How long that was before the image's end or the report, within a millisecond; absent where calls were not timed, and
    /// where nobody knows when the image ended: its report was recovered from what it left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_ns: Option<u64>,
}
