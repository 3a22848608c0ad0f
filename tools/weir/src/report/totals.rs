//! `weir report --totals`: the totals of a report as one small JSON object, for scripts.
//!
//! What the report has too is under the report's names, so a path into the one is a path into the other.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use weir_report::calendar::Utc;
use weir_report::model::{
    Activity, End, Estimate, Function, Heap, KindUse, Latency, Missed, Parts, Report, Tool,
    TreePeak,
};

use super::Subject;
use super::measure::{self, Time};
use crate::failure::Failure;

/// The value of [`Totals::schema`].
pub const SCHEMA: &str = "weir.totals/1";

/// The totals of a report (`weir.report/1`): one recording, or the sum of several. Times are in nanoseconds (`_ns`), sizes in bytes
/// (`_bytes`). Fields that the report has too have its names, meanings and numbers.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Totals<'a> {
    /// Name and version of this format: `weir.totals/1`.
    schema: &'static str,
    /// Version of the Weir that wrote the report.
    weir_version: &'a str,
    /// Command line of the first process image.
    command: &'a [String],
    /// When the first process image started, as text (RFC 3339): in UTC, with nine decimals of the second.
    started_at: String,
    /// Time from the start of the first process image to the end of the recording; of several runs, the sum of theirs.
    duration_ns: u64,
    /// Of how many runs of the program this is the sum.
    runs: u64,
    /// Number of process images.
    process_images: u64,
    /// How the first process ended.
    end: &'a End,
    /// Of how many calls of the families `alloc` and `stdio` one was timed, chosen at random: 1 where each was, 0 where no call of any
    /// family was. Where it is not 0, all calls of the other families were timed, but those of `process` and `count_only` never are.
    timed_one_in: u32,
    /// Calls of all functions.
    calls: u64,
    /// Of those, calls that failed.
    errors: u64,
    /// Time of all calls but those that wait and those of stdio in memory: exact where all were timed, else estimated. Absent where
    /// none was timed, or too few.
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<Estimate>,
    /// Time of the calls that wait, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    waited: Option<Estimate>,
    /// Allocation, over all functions.
    allocation: Allocation,
    /// I/O, over all functions that ask the kernel for it.
    io: Io,
    /// The heap, summed over the processes.
    heap: &'a Heap,
    /// The largest heap that all processes were seen to have at one moment; absent where there was one process only, and where
    /// nobody looked while they ran (without `weir run`).
    #[serde(skip_serializing_if = "Option::is_none")]
    tree_peak: Option<&'a TreePeak>,
    /// The purpose of the calls that are always timed: `transfer`, `wait`, `lock`, `memory_map` and `other`.
    activities: &'a BTreeMap<String, Activity>,
    /// Files and sockets.
    files: Files<'a>,
    /// A function has an entry if it was called, by the program or by Weir itself (`reentrant`), and else none.
    functions: BTreeMap<&'a str, OfFunction<'a>>,
    /// What Weir could not observe or did not measure, over all processes.
    missed: &'a Missed,
    /// The cost of the measurement, over all processes.
    tool: &'a Tool,
}

/// Allocation, over all functions.
#[derive(Debug, Serialize, JsonSchema)]
struct Allocation {
    /// Calls of allocation functions, also of those that free.
    calls: u64,
    /// Of those, calls that make a block or change its size.
    allocating_calls: u64,
    /// Bytes that these asked for.
    requested_bytes: u64,
}

/// I/O, over all functions that ask the kernel for it.
#[derive(Debug, Serialize, JsonSchema)]
struct Io {
    /// Calls of I/O functions.
    calls: u64,
    /// Bytes that they moved.
    moved_bytes: u64,
    /// Of those, bytes that the program read.
    read_bytes: u64,
    /// Of those, bytes that the program wrote.
    written_bytes: u64,
    /// Of those, bytes that went from one descriptor to another.
    copied_bytes: u64,
}

/// Files and sockets.
#[derive(Debug, Serialize, JsonSchema)]
struct Files<'a> {
    /// The sums of all files and sockets of each kind; empty in reports of earlier versions.
    kinds: &'a BTreeMap<String, KindUse>,
}

/// The counters and latencies of one function, without classes of sizes.
#[derive(Debug, Serialize, JsonSchema)]
struct OfFunction<'a> {
    /// The function's family, such as `alloc` or `file`.
    family: &'a str,
    /// Calls, exact.
    calls: u64,
    /// Calls that failed, exact.
    errors: u64,
    /// Failed calls by name of errno, such as `ENOENT`; empty for allocation functions.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    errors_by_errno: &'a BTreeMap<String, u64>,
    /// Bytes that the program asked for, exact.
    requested_bytes: u64,
    /// Bytes that I/O calls moved, by their return values, exact; 0 for other functions.
    moved_bytes: u64,
    /// Calls by Weir itself, or by the C library on its behalf. They are not in `calls`.
    reentrant: u64,
    /// Latency of the timed calls; absent where none was timed.
    #[serde(skip_serializing_if = "Option::is_none")]
    latency: Option<OfLatency>,
    /// Estimated time of all calls, where only some were timed; absent where fewer than 30 were timed.
    #[serde(skip_serializing_if = "Option::is_none")]
    estimated: Option<Estimate>,
    /// Wait and transfer of the calls that were measured in two parts; absent where there were none.
    #[serde(skip_serializing_if = "Option::is_none")]
    parts: Option<OfParts>,
}

/// Latencies of one function, in nanoseconds, without their histogram. Where all samples were lost (`dropped` is `timed`), percentiles
/// and `min_ns` are 0 and mean nothing.
#[derive(Debug, Serialize, JsonSchema)]
struct OfLatency {
    /// Calls that were timed.
    timed: u64,
    /// Timed calls that are in no percentile, because a ring was full.
    dropped: u64,
    /// Sum over the timed calls.
    total_ns: u64,
    /// Shortest call of the histogram.
    min_ns: u64,
    /// Mean over the timed calls.
    mean_ns: u64,
    /// Standard deviation of the histogram's calls; absent where there are fewer than 30.
    #[serde(skip_serializing_if = "Option::is_none")]
    deviation_ns: Option<u64>,
    /// 50th percentile (median).
    p50_ns: u64,
    /// 90th percentile.
    p90_ns: u64,
    /// 99th percentile.
    p99_ns: u64,
    /// 99.9th percentile.
    p99_9_ns: u64,
    /// Longest timed call.
    max_ns: u64,
}

/// The calls of a function that were measured in two parts.
#[derive(Debug, Serialize, JsonSchema)]
struct OfParts {
    /// Calls that were measured in two parts.
    calls: u64,
    /// How many of them had to wait.
    waits: u64,
    /// Time that the calls waited until they could proceed; 0 for calls that did not wait.
    wait: OfLatency,
    /// The rest of the time of these calls.
    transfer: OfLatency,
}

/// The JSON, in one line.
///
/// # Errors
/// There is no memory for it.
pub fn json(report: &Report) -> Result<String, Failure> {
    let mut text = serde_json::to_string(&Totals::of(report))
        .map_err(|error| Failure::of_weir("cannot make JSON of the totals").because(error))?;
    text.push('\n');
    Ok(text)
}

impl<'a> Totals<'a> {
    fn of(report: &'a Report) -> Totals<'a> {
        let sums = measure::CallSums::of(&report.functions);
        let functions = report.functions.iter();
        Totals {
            schema: SCHEMA,
            weir_version: &report.weir_version,
            command: &report.command,
            // Reports of earlier versions have the number only.
            started_at: report
                .started_at
                .clone()
                .unwrap_or_else(|| Utc::of_unix_ns(report.started_unix_ns).to_string()),
            duration_ns: report.duration_ns,
            runs: report.runs,
            process_images: Subject::whole(report).count(),
            end: &report.end,
            timed_one_in: report.timed_one_in,
            calls: sums.calls,
            errors: sums.errors,
            time: sums.time.map(estimate),
            waited: sums.waited.map(estimate),
            allocation: Allocation {
                calls: sums.alloc_calls,
                allocating_calls: sums.allocating_calls,
                requested_bytes: sums.allocated_bytes,
            },
            io: Io {
                calls: sums.io_calls,
                moved_bytes: sums.moved_bytes,
                read_bytes: sums.read_bytes,
                written_bytes: sums.written_bytes,
                copied_bytes: sums.copied_bytes,
            },
            heap: &report.heap,
            tree_peak: report.tree_peak.as_ref(),
            activities: &report.activities,
            files: Files {
                kinds: &report.files.kinds,
            },
            functions: functions
                .map(|(name, function)| (name.as_str(), OfFunction::of(function)))
                .collect(),
            missed: &report.missed,
            tool: &report.tool,
        }
    }
}

impl<'a> OfFunction<'a> {
    fn of(function: &'a Function) -> OfFunction<'a> {
        OfFunction {
            family: &function.family,
            calls: function.calls,
            errors: function.errors,
            errors_by_errno: &function.errors_by_errno,
            requested_bytes: function.requested_bytes,
            moved_bytes: function.moved_bytes,
            reentrant: function.reentrant,
            latency: function.latency.as_deref().map(OfLatency::of),
            estimated: function.estimated,
            parts: function.parts.as_deref().map(OfParts::of),
        }
    }
}

impl OfLatency {
    fn of(latency: &Latency) -> OfLatency {
        OfLatency {
            timed: latency.timed,
            dropped: latency.dropped,
            total_ns: latency.total_ns,
            min_ns: latency.min_ns,
            mean_ns: latency.mean_ns,
            deviation_ns: latency.deviation_ns,
            p50_ns: latency.p50_ns,
            p90_ns: latency.p90_ns,
            p99_ns: latency.p99_ns,
            p99_9_ns: latency.p99_9_ns,
            max_ns: latency.max_ns,
        }
    }
}

impl OfParts {
    fn of(parts: &Parts) -> OfParts {
        OfParts {
            calls: parts.calls,
            waits: parts.waits,
            wait: OfLatency::of(&parts.wait),
            transfer: OfLatency::of(&parts.transfer),
        }
    }
}

fn estimate(time: Time) -> Estimate {
    Estimate {
        total_ns: time.ns,
        error_ns: time.error_ns,
    }
}
