//! From what Weir recorded to a report.
//!
//! ```text
//! model       the report's types: `weir.report/1`
//! read        a report from a file
//! ```

pub mod model;
pub mod read;
