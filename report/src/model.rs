//! The report: what `weir.report/1` holds, field by field.
//!
//! Times are integer nanoseconds (`_ns`), sizes integer bytes (`_bytes`); counts are exact unless
//! the field says otherwise. A field that may be absent is an `Option`; there is no NaN and no
//! other in-band sentinel. Text that was not UTF-8 (paths, arguments) has U+FFFD in place of the
//! bytes that could not be decoded.

mod coroutines;
mod earlier;
mod files;
mod folded;
mod in_flight;
mod latency_over_time;
mod looks;
mod parts;
mod stacks;
mod usage;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use coroutines::{CoroutineUse, Coroutines};
pub use files::{FileUse, Files, KindUse, SlowestUse};
pub use folded::{EndCount, Folded, NoteCount};
pub use in_flight::InFlight;
pub use latency_over_time::{LatencyCell, LatencyOverTime};
pub use looks::Looks;
pub use parts::{Parts, Spread, SpreadClass};
pub use stacks::{
    BadIndex, CodeName, CodePlace, FilePart, Frame, Lifetimes, MOST as MOST_FRAMES, Module, Since,
    Site, SiteBlocks, SiteFile, Stacks,
};
pub use usage::Usage;

/// The value of [`Report::schema`] that this crate writes and reads.
pub const SCHEMA: &str = "weir.report/1";

/// One recording: a program and all process images that came of it. Times are in nanoseconds (`_ns`), sizes in bytes (`_bytes`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Report {
    /// Name and version of this format: `weir.report/1`.
    pub schema: String,
    /// Version of the Weir that wrote the report.
    pub weir_version: String,
    /// Command line of the first process image.
    pub command: Vec<String>,
    /// When the first process image started, in nanoseconds since the Unix epoch. The number is beyond 2^53: a reader that holds
    /// numbers as doubles (JavaScript, jq) rounds it to 256 ns. `started_at` is exact there.
    pub started_unix_ns: u64,
    /// The same moment as text (RFC 3339): in UTC, with nine decimals of the second. Absent in reports of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// Time from the start of the first process image to the end of the recording; of several runs, the sum of theirs.
    pub duration_ns: u64,
    /// Of how many runs of the program this is the sum; absent where it is 1.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub runs: u64,
    /// Of which recordings this is the sum, by their first process images; absent where it is one recording.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
    /// How the first process ended.
    pub end: End,
    /// Of how many calls of the families `alloc` and `stdio` one was timed, chosen at random: 1 where each was, 0 where no call of any
    /// family was. Where it is not 0, all calls of the other families were timed, but those of `process` and `count_only` never are.
    #[serde(alias = "timing", deserialize_with = "earlier::timed_one_in")]
    pub timed_one_in: u32,
    /// Totals over all processes. A function has an entry if it was called, by the program or by Weir itself (`reentrant`), and else
    /// none: what has no entry has the count 0.
    #[serde(deserialize_with = "earlier::functions")]
    pub functions: BTreeMap<String, Function>,
    /// The heap, summed over the processes.
    pub heap: Heap,
    /// The purpose of the calls that are always timed: `transfer` (read, write, move, sync), `wait` (wait for descriptors,
    /// for connections, for time to pass), `lock` (wait for locks), `memory_map`, and `other` (all other system calls). Allocation, and stdio in memory,
    /// are not included. Where a call has `parts`, the time of its wait is in `wait`; else a `read` that waits for its
    /// bytes is in `transfer`.
    #[serde(default)]
    pub activities: BTreeMap<String, Activity>,
    /// Files and sockets over all processes.
    #[serde(default)]
    pub files: Files,
    /// What each coroutine did, over all processes; absent where no runtime registered itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coroutines: Option<Coroutines>,
    /// The slowest timed calls of all processes, slowest first. Calls that wait are in `longest_waits`.
    pub slowest: Vec<SlowCall>,
    /// The longest calls of functions that wait (`wait` and `lock` in `activities`), longest first.
    #[serde(default)]
    pub longest_waits: Vec<SlowCall>,
    /// All process images, in the order of their start. Where `weir run` reports more than 100, those of interest have an entry
    /// each. The others share one entry for each executable (see [`Process::folded`]).
    pub processes: Vec<Process>,
    /// Number of process images without an entry of their own in `processes`; absent where it is 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub folded_processes: u64,
    /// The largest heap that all processes were seen to have at one moment; absent where there was one process only, and where
    /// nobody looked while they ran (without `weir run`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tree_peak: Option<TreePeak>,
    /// What Weir could not observe or did not measure, over all processes.
    pub missed: Missed,
    /// The cost of the measurement, over all processes.
    pub tool: Tool,
}

/// A recording, by its first process image: no two images have the same process id and the same start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Part {
    /// Process id of the image.
    pub pid: u32,
    /// When it started, in nanoseconds since the Unix epoch.
    pub started_unix_ns: u64,
}

/// The heaps of all processes at the moment at which their sum was largest. `weir run` looks every 0.1 to 25 ms, more often where more
/// happens; what was larger only in between is not seen. What a forked process inherited counts for it, too, although it shares that
/// memory with its parent until either writes to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TreePeak {
    /// The sum of their live bytes.
    pub live_bytes: u64,
    /// Time from the start of the first process image to that moment.
    pub at_ns: u64,
    /// Number of processes that had live bytes.
    pub processes: u64,
    /// The largest of them, the largest first.
    pub largest: Vec<TreePeakPart>,
}

/// One process at the tree's peak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TreePeakPart {
    /// Process id.
    pub pid: u32,
    /// Its live bytes.
    pub live_bytes: u64,
}

/// One process image: a process from its start, or from an exec, to its next exec or its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Process {
    /// Process id.
    pub pid: u32,
    /// Process id of the parent when the image started.
    pub parent_pid: u32,
    /// Path of the executable.
    pub executable: String,
    /// Command line.
    pub command: Vec<String>,
    /// What the process called itself when `weir run` looked last, where that was not its command line: it had written over its arguments,
    /// or named its first thread. At most 256 bytes. Absent where it had no title then, where the entry stands for images
    /// with different titles, and without `weir run`. A process is not looked at in its first 25 ms, and then at most ten times a second, while it runs. What a
    /// forked process wrote over its arguments before its first call is its command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Whether the image began by fork. If so, it runs its parent's executable.
    pub forked: bool,
    /// When the image started, in nanoseconds since the Unix epoch; see [`Report::started_unix_ns`].
    pub started_unix_ns: u64,
    /// The same moment as text, as [`Report::started_at`] has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// Time from the start of the image to its end, or to the report if it still runs. A process that is killed does not note its end: then to
    /// when its parent had waited for it, or, if that is not known, to when Weir saw that it was gone, up to half a second later. In a
    /// report by `weir recover`: to the last call that was recorded.
    pub duration_ns: u64,
    /// How the image ended.
    pub end: End,
    /// Present where the entry stands for several images of one executable (of any executable, where `executable` is empty).
    /// Process ids, command and end are those of the first image. `duration_ns` is the time from the first start to the
    /// last end. All other numbers are sums. The timeline is that of all images together, from the first start on, without
    /// `usage`. Where the images are of several runs, there is no timeline, and there are no latencies over time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folded: Option<Box<Folded>>,
    /// Which calls were timed; see [`Report::timed_one_in`].
    #[serde(alias = "timing", deserialize_with = "earlier::timed_one_in")]
    pub timed_one_in: u32,
    /// The functions that were called; see [`Report::functions`].
    pub functions: BTreeMap<String, Function>,
    /// The heap.
    pub heap: Heap,
    /// The threads; one entry may stand for several, one after the other.
    pub threads: Vec<Thread>,
    /// Counters over time.
    pub timeline: Timeline,
    /// How long calls took, and when; absent where none was timed, and where the entry stands for images of several runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_over_time: Option<Box<LatencyOverTime>>,
    /// The purpose of the calls that are always timed; see [`Report::activities`].
    #[serde(default)]
    pub activities: BTreeMap<String, Activity>,
    /// Files and sockets.
    #[serde(default)]
    pub files: Files,
    /// What each coroutine did; absent where no runtime registered itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coroutines: Option<Coroutines>,
    /// The calls by call site; absent where no stacks were recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stacks: Option<Stacks>,
    /// The slowest timed calls, slowest first. Calls that wait are in `longest_waits`.
    pub slowest: Vec<SlowCall>,
    /// The longest calls of functions that wait, longest first.
    #[serde(default)]
    pub longest_waits: Vec<SlowCall>,
    /// The calls that had not returned when the image ended or the report was made, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub in_flight: Vec<InFlight>,
    /// The object in which each interposed function was found, and the object that the program's calls reach. Functions with
    /// the same objects form a group; most processes have one or two groups. In a report by `weir run`, a forked image
    /// does not repeat the groups of its parent.
    pub provenance: Vec<ProvenanceGroup>,
    /// What Weir could not observe or did not measure.
    pub missed: Missed,
    /// The cost of the measurement.
    pub tool: Tool,
}

impl Process {
    /// Calls of all functions.
    pub fn calls(&self) -> u64 {
        let calls = self.functions.values().map(|function| function.calls);
        calls.fold(0, u64::saturating_add)
    }

    /// Where a function leads, where anything is known of it.
    pub fn provenance_of(&self, function: &str) -> Option<&Provenance> {
        let mut groups = self.provenance.iter();
        let group = groups.find(|group| group.functions.iter().any(|name| name == function))?;
        Some(&group.leads)
    }

    /// Of how many process images the entry is.
    pub fn stands_for(&self) -> u64 {
        self.folded.as_ref().map_or(1, |folded| folded.processes)
    }

    /// What was noted, and of how many process images.
    pub fn notes(&self) -> impl Iterator<Item = (&str, u64)> {
        let of_many = self.folded.iter().flat_map(|folded| &folded.notes);
        let own = self.missed.notes.iter();
        own.filter(|_| self.folded.is_none())
            .map(|note| (note.as_str(), 1))
            .chain(of_many.map(|count| (count.note.as_str(), count.processes)))
    }
}

fn one() -> u64 {
    1
}

fn is_one(number: &u64) -> bool {
    *number == 1
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// How a process image ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct End {
    /// The kind of end.
    pub how: EndKind,
    /// Exit status, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<i32>,
    /// Number of the signal that ended the process, where one did and it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
}

/// The kind of a process image's end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum EndKind {
    /// The image was still running when the report was made.
    Running,
    /// The process exited.
    Exited,
    /// The process executed another program, which is the next image with this pid.
    Exec,
    /// A signal ended the process.
    Signaled,
    /// The process ended, and it is not known how (by SIGKILL, or by a system call that Weir does not see).
    #[default]
    Unknown,
}

/// The counters and latencies of one function.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Function {
    /// The function's family: `alloc`, `file`, `descriptor`, `socket`, `wait`, `lock` (calls that found the lock taken; no others
    /// are counted), `memory_map`, `metadata`, `stdio` (calls of stdio by the program), `stdio_system` (system calls by
    /// stdio), `process`, `count_only` (calls are counted, and neither timed nor measured).
    pub family: String,
    /// Calls, exact.
    pub calls: u64,
    /// Calls that failed, exact.
    pub errors: u64,
    /// Failed calls by name of errno, such as `ENOENT`; empty for allocation functions.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub errors_by_errno: BTreeMap<String, u64>,
    /// Bytes that the program asked for, exact.
    pub requested_bytes: u64,
    /// Bytes that I/O calls moved, by their return values, exact; 0 for other functions.
    pub moved_bytes: u64,
    /// Calls by requested size; only classes that occurred.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub size_classes: Vec<SizeClass>,
    /// Calls by Weir itself, or by the C library on its behalf. They are not in `calls`.
    pub reentrant: u64,
    /// Latency of the timed calls; absent where none was timed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<Box<Latency>>,
    /// Estimated time of all calls, where only some were timed; absent where fewer than 30 were timed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimated: Option<Estimate>,
    /// Wait and transfer of the calls that were measured in two parts (under `weir run --coop`, or in a coroutine); absent where
    /// there were none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parts: Option<Box<Parts>>,
    /// Whether threads slept in slow calls of the function: all looks at them. Absent where there was none, and without `weir run`. A call
    /// that was left by a jump counts as in [`InFlight`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looks: Option<Looks>,
}

impl Function {
    /// Whether there is anything to report: the function was called, by the program or by Weir itself.
    pub fn was_called(&self) -> bool {
        (self.calls, self.errors, self.reentrant) != (0, 0, 0) || self.latency.is_some()
    }
}

/// Number of calls with a requested size in a range.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SizeClass {
    /// Smallest size of the class.
    pub from_bytes: u64,
    /// Largest size of the class, inclusive.
    pub to_bytes: u64,
    /// Calls.
    pub calls: u64,
}

/// Latencies of one function, in nanoseconds. Percentiles are computed from the histogram, whose buckets are less than 1 % wide.
///
/// Percentile q of a histogram of n calls is the call of rank ceil(q × n) in ascending order, at least 1. Its value is the largest
/// value of the bucket that the call is in, and at most `max_ns`. Other tools may compute other values from `histogram`: where
/// they round the rank or interpolate, and where they do not limit the value to `max_ns`. Where all samples were lost (`dropped` is `timed`),
/// percentiles and `min_ns` are 0 and mean nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Latency {
    /// Calls that were timed.
    pub timed: u64,
    /// Timed calls that are missing from the histogram, because a ring was full. `timed`, `total_ns` and `mean_ns` include
    /// them.
    pub dropped: u64,
    /// Sum over the timed calls.
    pub total_ns: u64,
    /// Shortest call of the histogram: the smallest value of its bucket.
    pub min_ns: u64,
    /// Mean over the timed calls.
    pub mean_ns: u64,
    /// Standard deviation of the histogram's calls; absent where there are fewer than 30.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deviation_ns: Option<u64>,
    /// 50th percentile (median); see [`Latency`] for the rank and the upper limit of percentiles.
    pub p50_ns: u64,
    /// 90th percentile.
    pub p90_ns: u64,
    /// 99th percentile.
    pub p99_ns: u64,
    /// 99.9th percentile.
    pub p99_9_ns: u64,
    /// Longest timed call. Exact where it is one of the slow calls that were kept; else the smallest value of the histogram's last
    /// bucket, less than 1 % too low.
    pub max_ns: u64,
    /// The histogram, in HdrHistogram's V2 compressed form, base64.
    pub histogram: String,
}

/// One of the figures of a latency.
pub type LatencyFigure = fn(&Latency) -> u64;

impl Latency {
    /// A figure of the histogram, such as a percentile; none where all of its samples were lost.
    pub fn of_histogram(&self, figure: LatencyFigure) -> Option<u64> {
        (self.timed > self.dropped).then(|| figure(self))
    }
}

/// Time of all calls of a function, estimated from the calls that were timed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Estimate {
    /// Mean of the timed calls, times the number of all calls.
    pub total_ns: u64,
    /// Half width of the 95 % confidence interval of `total_ns`: 1.96 standard errors of the mean, times the number of all
    /// calls. Where the standard deviation is not known, the largest value that the mean and the longest call allow is
    /// used.
    pub error_ns: u64,
}

/// Calls of one kind of activity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Activity {
    /// Calls.
    pub calls: u64,
    /// Total time of the calls that were timed.
    pub total_ns: u64,
}

/// The heap. Sizes are those of malloc_usable_size. Where `not_known` is present, the numbers of an image are allocations minus
/// frees as far as Weir saw them, and sums over processes leave that image out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Heap {
    /// Bytes that were allocated and not freed at the end.
    pub live_bytes: i64,
    /// Blocks that were allocated and not freed at the end.
    pub live_blocks: i64,
    /// Maximum of live bytes, within `peak_error_bytes`. Never too high where one thread allocates. Over several
    /// processes: the sum of their peaks.
    pub peak_bytes: u64,
    /// Largest error of `peak_bytes`, in either direction: threads publish their live bytes in steps.
    pub peak_error_bytes: u64,
    /// Bytes that were live when a forked image started; `live_bytes` includes them.
    pub inherited_bytes: i64,
    /// Blocks that were live when a forked image started; `live_blocks` includes them. Too high by one for each thread that was about to
    /// get a block at that moment.
    pub inherited_blocks: i64,
    /// The reason why the heap is not known, or not known for all processes; absent where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_known: Option<String>,
}

/// The counters of one thread, or of several threads that used the same slot one after the other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Thread {
    /// Thread id of the latest thread of this entry. 0 for the common entry: calls of threads that found no slot, and the
    /// last calls of threads that were ending. They are not timed.
    pub tid: u32,
    /// Name of the latest thread of this entry.
    pub name: String,
    /// Number of threads that used this entry, one after the other; where `tid` is 0, number of threads that found no slot.
    pub threads: u64,
    /// Time from the start of the image to the first call of the first of these threads.
    pub started_ns: u64,
    /// Whether the latest thread was still running when the report was made.
    pub running: bool,
    /// Bytes that it allocated minus bytes that it freed; negative where a thread frees blocks of others.
    pub live_bytes: i64,
    /// The functions that were called.
    pub functions: BTreeMap<String, ThreadFunction>,
}

/// The counters of one function in one thread.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ThreadFunction {
    /// Calls.
    pub calls: u64,
    /// Calls that failed.
    pub errors: u64,
    /// Bytes that were requested.
    pub requested_bytes: u64,
    /// Bytes that were moved.
    pub moved_bytes: u64,
    /// Calls that were timed.
    pub timed: u64,
    /// Sum over the timed calls.
    pub total_ns: u64,
}

/// Counters over time. Points are at least `interval_ns` apart, except for the last point, which is the time of the report. When
/// there are too many points, the interval doubles and every second point is dropped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Timeline {
    /// Shortest time between two points.
    pub interval_ns: u64,
    /// The points. Counters are totals since the start of the image.
    pub points: Vec<TimelinePoint>,
}

/// The counters at one point in time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TimelinePoint {
    /// Time since the start of the image.
    pub at_ns: u64,
    /// Live bytes of the heap.
    pub live_bytes: i64,
    /// Calls of allocation functions.
    pub alloc_calls: u64,
    /// Bytes requested from allocation functions.
    pub alloc_bytes: u64,
    /// Calls of I/O functions.
    pub io_calls: u64,
    /// Bytes read.
    pub read_bytes: u64,
    /// Bytes written.
    pub written_bytes: u64,
    /// Bytes that went from one descriptor to another without passing through the program (`sendfile`, `splice` and the like). Absent where it is 0, and in reports
    /// of older versions.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub copied_bytes: u64,
    /// Threads that have made a call and have not ended; at the end of the image, those that it ended with. Of more than 1,024 at once the
    /// others are not counted. Absent at the image's start, and in reports of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<u32>,
    /// Resident memory, page faults and CPU time of the process at that moment. Only `weir run` reads them, while the process runs.
    /// Absent at points in between: a process in which nothing changes is read five times a second, and where many processes run
    /// each is read so seldom that all readings together take at most a hundredth of a processor. Absent at the last point of a process that has
    /// ended. Absent everywhere without `weir run`, for a process that ended within 5 ms, and where `weir run` cannot be sure of the process:
    /// it is in another pid namespace, or /proc does not show it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
}

/// One slow call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SlowCall {
    /// The function.
    pub function: String,
    /// Duration of the call.
    pub took_ns: u64,
    /// Time from the start of its image to the start of the call.
    pub at_ns: u64,
    /// Process id.
    pub pid: u32,
    /// Thread id.
    pub tid: u32,
    /// Requested size, where the function has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// File descriptor, where the function has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fd: Option<i32>,
    /// Whether the thread slept; absent where there was no look at this call, and without `weir run`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looks: Option<Looks>,
}

/// Functions that were found in the same object and are bound to the same object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProvenanceGroup {
    /// The objects.
    #[serde(flatten)]
    pub leads: Provenance,
    /// The functions, in alphabetical order.
    pub functions: Vec<Cow<'static, str>>,
}

/// The objects behind an interposed function.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Provenance {
    /// Path of the object that Weir calls: the one in which RTLD_NEXT found the function. Absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Path of the object that calls from the program itself reach, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound: Option<String>,
    /// Whether calls from the program itself reach Weir. If false, they are not in this report.
    pub interposed: bool,
}

/// What Weir could not observe or did not measure. System calls that the C library makes inside other functions, or that the
/// program makes without the C library, are never observed, and there is no number of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Missed {
    /// Timed calls that are missing from the histograms, because a ring was full.
    pub dropped_samples: u64,
    /// Calls by Weir itself, or by the C library on its behalf.
    pub reentrant_calls: u64,
    /// Calls that were counted but not timed.
    pub untimed_calls: u64,
    /// Calls before Weir's start-up or after its shutdown. No other number includes them.
    pub uncounted_calls: u64,
    /// Failed calls that are not in `errors_by_errno`, because the table was full.
    pub unlisted_errnos: u64,
    /// Threads that found no slot of their own. Their calls are counted exactly, in a common entry, and not timed.
    pub threads_without_slot: u64,
    /// Functions for which calls from the program itself do not reach Weir.
    pub not_interposed: Vec<String>,
    /// Programs that were started and are not in the report, as far as Weir knows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub untraced: Vec<Untraced>,
    /// Starts of programs that Weir had no room to note. It is not known whether these programs were traced.
    #[serde(default)]
    pub unlisted_starts: u64,
    /// Use of io_uring; absent where there was no sign of it. I/O through its rings is neither counted nor timed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub io_uring: Option<IoUring>,
    /// Other limitations of this report, one sentence each.
    pub notes: Vec<String>,
}

/// Use of io_uring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct IoUring {
    /// The strongest sign.
    pub seen: IoUringSeen,
    /// Path of liburing, where it was loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub library: Option<String>,
}

/// A sign of io_uring, from weak to strong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum IoUringSeen {
    /// liburing was loaded. It is not known whether it was used: a ring that is closed before the end leaves no trace.
    Loaded,
    /// The program requested a ring by `syscall`. The kernel may have refused.
    AskedFor,
    /// The program had a ring.
    Used,
}

/// A program that was started and not traced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Untraced {
    /// Process id. 0 if it is not known: a child process in a sandbox (seccomp) may not ask the kernel for it.
    pub pid: u32,
    /// Path of the program, as passed to exec. Empty if it is not known: a process in a sandbox may not ask the kernel whether
    /// the memory that it passes to exec can be read.
    pub program: String,
    /// The reason: a predicate to the program's name, such as "is statically linked".
    pub reason: String,
}

/// The cost of the measurement.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Tool {
    /// Memory of the regions: header and the slots in use.
    pub region_bytes: u64,
    /// Memory of the writer, where it runs in the program; 0 where it runs in `weir`.
    pub writer_bytes: u64,
    /// Samples that the writer took from the rings.
    pub samples: u64,
    /// Number of times that the writer checked the rings.
    pub writer_polls: u64,
    /// CPU time of the writer.
    pub writer_cpu_ns: u64,
}
