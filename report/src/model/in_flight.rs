//! Calls that had not returned.

use serde::{Deserialize, Serialize};

use super::Looks;

/// A call that had not returned when its image ended or the report was made.
///
/// At most one for each thread: its latest call that does I/O or waits. A call that a signal handler interrupted is missing
/// if the handler made such calls. A call that was left by a jump (`siglongjmp`) is present until its thread makes
/// another call or ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InFlight {
    /// Thread id.
    pub tid: u32,
    /// The function.
    pub function: String,
    /// File descriptor, where the function has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fd: Option<i32>,
    /// Kind of the file or socket, as in `kind` of `files`, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Name of the file or socket, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Index in `stacks.frames` of the innermost frame of its stack, which is the caller of the function. Absent where call stacks were
    /// not taken when it began, and for calls that are made in two parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame: Option<u32>,
    /// Time from the start of its image to the start of the call, within 1 ms; absent where calls were not timed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_ns: Option<u64>,
    /// Time from the start of the call to the end of the image or to the report, within 1 ms. Absent where calls were not
    /// timed, and in reports by `weir recover`: the time of the end is not known there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_ns: Option<u64>,
    /// Whether the thread slept; absent where there was no look at this call, and without `weir run`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looks: Option<Looks>,
}
