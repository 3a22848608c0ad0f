//! Process images that are told together.

use serde::{Deserialize, Serialize};

use super::End;

/// What is told of process images that share an entry, beside what that has of them all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Folded {
    /// How many process images.
    pub processes: u64,
    /// How they ended, the most frequent first.
    pub ends: Vec<EndCount>,
    /// What was noted of them, as each had it in its `missed.notes`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<NoteCount>,
}

/// How many process images ended in one way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EndCount {
    /// The end.
    pub end: End,
    /// How many.
    pub processes: u64,
}

/// Of how many process images a note was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NoteCount {
    /// The note.
    pub note: String,
    /// How many.
    pub processes: u64,
}
