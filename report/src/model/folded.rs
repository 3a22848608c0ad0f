//! Process images that share an entry of the report.

use serde::{Deserialize, Serialize};

use super::End;

/// Process images that share an entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Folded {
    /// Number of process images.
    pub processes: u64,
    /// How they ended, the most frequent first.
    pub ends: Vec<EndCount>,
    /// Their `missed.notes`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<NoteCount>,
}

/// Number of process images with the same end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EndCount {
    /// The end.
    pub end: End,
    /// Number of process images.
    pub processes: u64,
}

/// Number of process images with the same note.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NoteCount {
    /// The note.
    pub note: String,
    /// Number of process images.
    pub processes: u64,
}
