//! The reports of Weir: reading them, and how they come to be.
//!
//! Weir counts and times the allocation and I/O calls of a program, and writes a report as JSON. [`read`] reads one into a [`model::Report`].
//! Its fields are described there; [`latency`](model::Function::latency) has a histogram, into which [`Ordered`] looks.
//!
//! # Reading a report
//!
//! The report in these examples is in the package, `examples/shop.json`: that of a small program, with call stacks. A report has the totals
//! of each function, and the same for each process image. They add up:
//!
//! ```
//! use std::path::Path;
//! use weir_report::read;
//!
//! let report = read::load(Path::new("examples/shop.json"))?;
//! let reads = &report.functions["read"];
//! assert_eq!((reads.calls, reads.errors, reads.moved_bytes), (6_501, 0, 6_500));
//!
//! let images = report.processes.iter();
//! let of_images = images.filter_map(|image| image.functions.get("read"));
//! assert_eq!(of_images.map(|function| function.calls).sum::<u64>(), reads.calls);
//! # Ok::<(), read::ReadError>(())
//! ```
//!
//! A file of unknown origin does no harm: what reading takes is bounded ([`read::MAX_BYTES`], [`read::MAX_MEMORY`]), every index in the
//! call stacks has been checked, and what cannot be read is an error that says why. So is a report in a newer format:
//!
//! ```
//! use weir_report::read::{self, ReadError};
//!
//! let newer = br#"{"schema": "weir.report/2"}"#;
//! let error = read::from_slice(newer).expect_err("another version");
//! assert!(matches!(error, ReadError::OtherVersion(_)));
//! assert_eq!(
//!     error.to_string(),
//!     "it is in the format weir.report/2; this version of weir reads weir.report/1"
//! );
//! ```
//!
//! # A percentile
//!
//! The usual ones are fields. For others, [`Ordered`] has the timed calls in the order of their time:
//!
//! ```
//! # use std::path::Path;
//! use weir_report::{Ordered, read};
//!
//! # let report = read::load(Path::new("examples/shop.json"))?;
//! let latency = report.functions["read"].latency.as_deref().expect("timed calls");
//! let ordered = Ordered::of(latency).expect("a histogram");
//! // The end of the class that the call of this rank is in; no call took longer than the longest one.
//! let percentile_ns = |percent: u64| {
//!     let rank = (ordered.calls() * percent).div_ceil(100).max(1);
//!     let class = ordered.at(rank).expect("so many calls");
//!     latency.max_ns.min(*class.end())
//! };
//! assert_eq!(percentile_ns(99), latency.p99_ns);
//! assert!((latency.p50_ns..=latency.p90_ns).contains(&percentile_ns(75)));
//! # Ok::<(), read::ReadError>(())
//! ```
//!
//! # Call sites
//!
//! A call site is a function and the stack from which it was called. Frames have names where the report has them: `weir symbolize` writes them into it.
//! This finds what the program has not freed, and who allocated it:
//!
//! ```
//! # use std::path::Path;
//! use std::collections::BTreeMap;
//! use weir_report::{model::Stacks, read};
//!
//! /// The functions of a stack, the innermost first.
//! fn names(stacks: &Stacks, innermost: Option<u32>) -> impl Iterator<Item = &str> {
//!     let places = stacks.chain(innermost).filter_map(|(_, frame)| {
//!         let module = stacks.modules.get(frame.module? as usize)?;
//!         module.names.iter().find(|name| name.offset == frame.offset)
//!     });
//!     places.flat_map(|name| &name.places).filter_map(|place| place.function.as_deref())
//! }
//!
//! # let report = read::load(Path::new("examples/shop.json"))?;
//! let mut live_bytes: BTreeMap<String, u64> = BTreeMap::new();
//! for stacks in report.processes.iter().filter_map(|image| image.stacks.as_ref()) {
//!     for site in &stacks.sites {
//!         let blocks = site.blocks.unwrap_or_default();
//!         if names(stacks, site.frame).any(|name| name == "remember") {
//!             *live_bytes.entry(site.function.clone()).or_default() += blocks.live_bytes;
//!         }
//!     }
//! }
//! assert_eq!(live_bytes, BTreeMap::from([("malloc".to_owned(), 24_000)]));
//! # Ok::<(), read::ReadError>(())
//! ```
//!
//! `examples/top_functions.rs` is a whole program.
//!
//! # What may change
//!
//! The model grows: a new version of Weir adds fields, and reads reports that lack them. So read its types, and do not construct them. [`recording`] puts
//! reports together, and [`emit`] writes them. All else is how Weir makes a report, and may change with any version.
//!
//! # Modules
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
