//! From what Weir recorded to a report.
//!
//! ```text
//! writer      the one consumer of a region's rings: from a region to its part of the report
//!   latency     samples to histograms
//!   timeline    counters over time
//!   latency_over_time   latencies over time
//!   totals      a region's counters, summed over its threads
//!   activity    what its calls were for
//!   files       its files and sockets
//!   estimate    what all calls took, where some were timed
//!   process     all other parts of a process image's entry
//! live        the latest latencies of a program that runs, of which the writer is another
//! untraced    the programs that it started and that could not be traced
//! recording   from process images to one report
//! emit        a report to disk
//! read        a report from a file
//! calendar    moments as dates
//! log2        what would have libm loaded otherwise
//! model       the report's types: `weir.report/1`
//! ```
//!
//! The writer runs inside traced programs, and reads regions that anyone may have
//! written: nothing here may panic, whatever a region holds, and memory is bounded.

mod activity;
mod arch;
mod errno;
mod files;
mod latency;
mod latency_over_time;
mod log2;
mod process;
mod timeline;
mod totals;
mod zlib;

pub mod calendar;
pub mod emit;
pub mod estimate;
pub mod live;
pub mod model;
pub mod read;
pub mod recording;
pub mod untraced;
pub mod writer;

pub use activity::{ACTIVITIES, waits};
pub use errno::is_name as is_errno_name;
pub use latency::{Ordered, SIGNIFICANT_DIGITS, Tail, longer_than};
