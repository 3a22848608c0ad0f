//! How long calls took, and when.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How long calls took, and when: timed calls by columns of time and rows of latency.
///
/// A sample has no time of its own: its column is the moment at which it was taken from its thread's ring. `weir run` looks every 0.1 to 25 ms. Without
/// it, a program with several threads has a thread that looks as often, and one with a single thread looks once in 4,096 timed
/// calls and when it ends; and `weir recover` takes all that it finds at once: then the columns say little. A call is in the column in which it ended, or in a later one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LatencyOverTime {
    /// Width of a column: column c has what was taken from the time c × `interval_ns` after the start of the image, to (c + 1) ×
    /// `interval_ns`. 5 ms at first; it doubles, and neighbours become one column, where there would be more than 200 columns.
    pub interval_ns: u64,
    /// The cells that are not empty, by activity; see [`Process::activities`](super::Process::activities) for the names. The cells of an activity add up to
    /// the samples of its functions' `latency`, which are `timed` minus `dropped`. A call with `parts` is in the activity of its
    /// function, with its whole time. Sorted by column, then row.
    pub activities: BTreeMap<String, Vec<LatencyCell>>,
}

/// Number of timed calls in a column of time and a row of latency: `[column, row, samples]`.
///
/// The row of a latency of n nanoseconds is the integer part of log2(n²), half an octave each: row r has the latencies of at least 2^(r/2) ns that are
/// less than 2^((r+1)/2) ns. Row 0 also has 0 ns. There are at most 128 rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LatencyCell(
    /// Column, from 0.
    pub u32,
    /// Row, from 0.
    pub u32,
    /// Samples.
    pub u64,
);
