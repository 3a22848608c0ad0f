//! What the value of an option can be, and how it is read.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use clap::builder::{OsStringValueParser, TypedValueParser};
use weir_record::settings::{self, Stacks, Timing};

/// What tables are sorted by, the most first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Sort {
    /// Total time, estimated from the timed calls
    #[default]
    Time,
    /// Number of calls
    Calls,
    /// Bytes that allocation calls requested and I/O calls moved
    Bytes,
}

/// What a report is shown by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum By {
    /// Call sites: functions, files and lines
    Site,
}

/// Functions whose call sites belong together. What is not to be added up, or hides the rest, is apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Group {
    /// Functions that allocate
    Allocation,
    /// Functions that ask the kernel for input or output, and do not wait
    Io,
    /// Functions of stdio that the program calls; the system calls of stdio are in io
    Stdio,
    /// Functions that wait
    Wait,
}

/// How differences are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Differences {
    /// A page for people
    #[default]
    Text,
    /// All differences as JSON
    Json,
    /// A page for browsers: the same, both heaps over time, call sites as a flame graph
    Html,
}

/// How the result of a check is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Verdicts {
    /// A page for people
    #[default]
    Text,
    /// Annotations for GitHub Actions, and a summary of the step
    Github,
}

/// A format of other tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A line for each stack, for flame graphs
    Folded,
    /// JSON, for speedscope.app
    Speedscope,
    /// profile.proto, for go tool pprof, Pyroscope and Parca
    Pprof,
    /// JSON, for the Firefox Profiler
    Firefox,
    /// JSON, for the viewer of Valgrind's DHAT
    Dhat,
    /// A table for spreadsheets, pandas and databases
    Csv,
    /// The same table, a JSON object in each line
    Ndjson,
    /// Text for Prometheus and others
    Openmetrics,
    /// The same metrics as JSON, for OpenTelemetry
    OtlpJson,
    /// JSON for Bencher
    Bmf,
    /// JSON for Perfetto and chrome://tracing: the slowest calls and counters over time
    ChromeTrace,
    /// Tables of many runs, for DuckDB, ClickHouse and pandas
    Parquet,
}

/// A table of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Rows {
    /// Functions: calls, errors, bytes, latency
    #[default]
    Functions,
    /// Functions and errno values
    Errors,
    /// Histograms: how many calls of a function took from and up to how long
    Latency,
    /// Files and sockets
    Files,
    /// Processes
    Processes,
    /// Threads
    Threads,
}

/// What is summed over call sites.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Metric {
    /// Bytes that calls requested
    Bytes,
    /// Number of calls
    Calls,
    /// Time of the calls that were timed
    Time,
    /// Bytes that I/O calls moved
    Moved,
    /// Bytes of blocks that are live at the end: leaks, or kept on purpose
    Live,
    /// Bytes of blocks that were live at the peak of the heap
    Peak,
    /// Number of blocks that were freed before their thread made another
    Temporary,
}

/// When to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorWhen {
    /// On a terminal, unless NO_COLOR is set or TERM is dumb
    #[default]
    Auto,
    /// Always, also when the output is not a terminal
    Always,
    /// Never
    Never,
}

pub fn timing(value: &str) -> Result<Timing, String> {
    Timing::parse(value.as_bytes())
        .ok_or_else(|| format!("must be {}", settings::TIME.values.replace('`', "")))
}

pub fn stacks(value: &str) -> Result<Stacks, String> {
    Stacks::parse(value.as_bytes())
        .filter(|&stacks| stacks != Stacks::Verify)
        .ok_or_else(|| "must be off, all, sampled, or sampled:BYTES (from 1 to 1024G)".to_owned())
}

pub fn percent(value: &str) -> Result<f64, String> {
    let percent = value
        .parse()
        .ok()
        .filter(|percent| (0.0..=100.0).contains(percent));
    percent.ok_or_else(|| "must be a number from 0 to 100".to_owned())
}

/// What - stands for where a file is to be written.
pub const STANDARD_OUTPUT: &str = "/dev/stdout";

pub fn file_to_write() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().try_map(|value| match value.as_encoded_bytes() {
        b"-" => Ok(PathBuf::from(STANDARD_OUTPUT)),
        b"" => Err("a path must not be empty"),
        _ => Ok(PathBuf::from(value)),
    })
}

pub fn interval(value: &str) -> Result<Duration, String> {
    settings::parse_seconds(value.as_bytes())
        .map(Duration::from_nanos)
        .ok_or_else(|| format!("must be {}", settings::INTERVAL.values))
}
