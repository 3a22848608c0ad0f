//! The report: what `weir.report/1` holds, field by field.
//!
//! Times are integer nanoseconds (`_ns`), sizes integer bytes (`_bytes`); counts are exact unless
//! the field says otherwise. A field that may be absent is an `Option`; there is no NaN and no
//! other in-band sentinel. Text that was not UTF-8 (paths, arguments) has U+FFFD in place of the
//! bytes that could not be decoded.

mod coroutines;
mod files;
mod folded;
mod in_flight;
mod parts;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use coroutines::{CoroutineUse, Coroutines};
pub use files::{FileUse, Files, SlowestUse};
pub use folded::{EndCount, Folded, NoteCount};
pub use in_flight::InFlight;
pub use parts::{Parts, Spread, SpreadClass};

/// The value of [`Report::schema`] that this crate writes and reads.
pub const SCHEMA: &str = "weir.report/1";

/// A whole recording: one program and every process image that came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Report {
    /// Name and version of this format: `weir.report/1`.
    pub schema: String,
    /// Version of the Weir that wrote the report.
    pub weir_version: String,
    /// Command line of the first process image.
    pub command: Vec<String>,
    /// When the first process image started, in nanoseconds since the Unix epoch.
    pub started_unix_ns: u64,
    /// From the start of the first process image to the end of the recording.
    pub duration_ns: u64,
    /// How the first process ended.
    pub end: End,
    /// Which calls were timed: `all`, `off`, or `1/N` for one allocation call in N and every I/O call.
    pub timing: String,
    /// Totals over all processes: the functions that were called, and all of the families `alloc` and `file`.
    pub functions: BTreeMap<String, Function>,
    /// The heap, summed over the processes.
    pub heap: Heap,
    /// What the calls that are always timed were for: `transfer` (reading, writing, moving and syncing), `wait`
    /// (waiting for descriptors, for connections, for time to pass), `memory_map`, and `other` (all else that is asked
    /// of the kernel). What stdio does in memory, and allocation, are not among them. Of a call that was made in two
    /// parts, the time of the wait is in `wait`.
    #[serde(default)]
    pub activities: BTreeMap<String, Activity>,
    /// Files and sockets over all processes.
    #[serde(default)]
    pub files: Files,
    /// What each coroutine did, over all processes; absent where no runtime registered itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coroutines: Option<Coroutines>,
    /// The slowest timed calls of all processes, slowest first; but for those that wait.
    pub slowest: Vec<SlowCall>,
    /// The longest calls that wait (those of `wait` in `activities`), longest first.
    #[serde(default)]
    pub longest_waits: Vec<SlowCall>,
    /// Every process image, in the order in which they started. In a report by `weir run` of very many, those that
    /// started first have an entry each; the others share one with those of the same executable (see
    /// [`Process::folded`]).
    pub processes: Vec<Process>,
    /// How many process images have no entry of their own in `processes`; absent where each has.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub folded_processes: u64,
    /// What Weir did not see or measure, over all processes.
    pub missed: Missed,
    /// What Weir itself cost, over all processes.
    pub tool: Tool,
}

/// One process image: what ran from one start or exec to the next exec or the end.
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
    /// True where the image began by fork, and shares its executable with its parent.
    pub forked: bool,
    /// When the image started, in nanoseconds since the Unix epoch.
    pub started_unix_ns: u64,
    /// From the image's start to its end, or to the moment of the report; where the report was recovered from a
    /// region that a killed process left, to the last that was recorded there.
    pub duration_ns: u64,
    /// How the image ended.
    pub end: End,
    /// Present where the entry is of several images of one executable (of any, where `executable` is empty). Process
    /// ids, command and end are those of the first of them, `duration_ns` is from the first one's start to the last
    /// one's end, there is no timeline, and all numbers are sums.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folded: Option<Box<Folded>>,
    /// Which calls were timed, as [`Report::timing`] has it.
    pub timing: String,
    /// The functions that were called.
    pub functions: BTreeMap<String, Function>,
    /// The heap.
    pub heap: Heap,
    /// The threads; one entry may stand for several, one after the other.
    pub threads: Vec<Thread>,
    /// Counters over time.
    pub timeline: Timeline,
    /// What the calls that are always timed were for, as [`Report::activities`] has it.
    #[serde(default)]
    pub activities: BTreeMap<String, Activity>,
    /// Files and sockets.
    #[serde(default)]
    pub files: Files,
    /// What each coroutine did; absent where no runtime registered itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coroutines: Option<Coroutines>,
    /// The slowest timed calls, slowest first; but for those that wait.
    pub slowest: Vec<SlowCall>,
    /// The longest calls that wait, longest first.
    #[serde(default)]
    pub longest_waits: Vec<SlowCall>,
    /// The calls that had not returned when the image ended, or when the report was made, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub in_flight: Vec<InFlight>,
    /// Where each interposed function was found, and who else the program may be calling. Functions
    /// that lead to the same places stand together: most processes have one or two such groups. In a report by
    /// `weir run` an image that began by fork does not repeat what its parent has.
    pub provenance: Vec<ProvenanceGroup>,
    /// What was not seen or not measured.
    pub missed: Missed,
    /// What the measurement cost.
    pub tool: Tool,
}

impl Process {
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

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// How a process image ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct End {
    /// The manner of the end.
    pub how: EndKind,
    /// Exit status, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<i32>,
    /// Number of the signal that ended the process, where one did and it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
}

/// The manner in which a process image ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum EndKind {
    /// It still ran when the report was made.
    Running,
    /// It exited.
    Exited,
    /// It replaced itself by exec; what followed is the next image with this pid.
    Exec,
    /// A signal ended it.
    Signaled,
    /// It ended, and nothing tells how (killed, or left by a system call Weir does not see).
    #[default]
    Unknown,
}

/// The counters and latencies of one function.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Function {
    /// The function's family: `alloc`, `file`, `descriptor`, `socket`, `wait`, `memory_map`, `metadata`, `stdio` (what the
    /// program asks of stdio), `stdio_system` (what stdio asks of the kernel), `process`, `noted` (counted, and not
    /// measured).
    pub family: String,
    /// Calls, exact.
    pub calls: u64,
    /// Calls that failed, exact.
    pub errors: u64,
    /// Failed calls by the name of their errno; empty for allocation functions.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub errors_by_errno: BTreeMap<String, u64>,
    /// Bytes that the program asked for, exact.
    pub requested_bytes: u64,
    /// Bytes that calls returned as moved (I/O), exact; 0 for other functions.
    pub moved_bytes: u64,
    /// Calls by the size asked for; only classes that occurred.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub size_classes: Vec<SizeClass>,
    /// Calls that Weir itself made, and the C library for it; passed through, not in `calls`.
    pub reentrant: u64,
    /// Latency of the timed calls; absent where none was timed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<Box<Latency>>,
    /// What all calls took, where not all were timed; absent where fewer than 30 were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimated: Option<Estimate>,
    /// The two parts of the calls that were made in two (`weir run --coop`, or in a coroutine); absent where none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parts: Option<Box<Parts>>,
}

/// How many calls asked for a size within bounds.
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

/// Latencies of one function. Percentiles are those of the histogram, within 1 %.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Latency {
    /// Calls that were timed.
    pub timed: u64,
    /// Timed calls whose sample is not in the histogram: the ring was full. They are in `timed`,
    /// `total_ns`, `mean_ns` and `max_ns` all the same.
    pub dropped: u64,
    /// Sum over the timed calls.
    pub total_ns: u64,
    /// Shortest call of the histogram.
    pub min_ns: u64,
    /// Mean over the timed calls.
    pub mean_ns: u64,
    /// Standard deviation of the histogram's calls; absent where there are fewer than 30.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deviation_ns: Option<u64>,
    /// Median.
    pub p50_ns: u64,
    /// 90th percentile.
    pub p90_ns: u64,
    /// 99th percentile.
    pub p99_ns: u64,
    /// 99.9th percentile.
    pub p99_9_ns: u64,
    /// Longest timed call.
    pub max_ns: u64,
    /// The histogram, in HdrHistogram's V2 compressed form, base64.
    pub histogram: String,
}

/// What all calls of a function took, by those that were timed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Estimate {
    /// The mean of the timed calls, times all calls.
    pub total_ns: u64,
    /// How far the truth may be from that, to either side, in 95 of 100 cases: 1.96 standard errors of the mean, times all
    /// calls. Where no histogram tells the deviation, it is taken to be as much as the mean and the longest call allow.
    pub error_ns: u64,
}

/// Calls of one kind of activity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Activity {
    /// Calls.
    pub calls: u64,
    /// Sum of their durations, of those that were timed.
    pub total_ns: u64,
}

/// The heap as the allocation functions left it. Sizes are those of malloc_usable_size. Where it is not known, the numbers are no
/// more than what was seen: of one image, bytes and blocks that came less those that went; in a sum it is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Heap {
    /// Bytes allocated and not freed at the end.
    pub live_bytes: i64,
    /// Allocations not freed at the end.
    pub live_blocks: i64,
    /// The most bytes that were live at once, give or take `peak_error_bytes`; never more than the truth
    /// where one thread allocates. Over several processes, the sum of their peaks.
    pub peak_bytes: u64,
    /// How far `peak_bytes` may be from the truth: threads tell their live bytes in steps.
    pub peak_error_bytes: u64,
    /// Bytes already live when a forked image started; they are part of `live_bytes`.
    pub inherited_bytes: i64,
    /// Blocks already live when a forked image started; they are part of `live_blocks`.
    pub inherited_blocks: i64,
    /// Why the heap is not known, where it is not, or that it is not of all processes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_known: Option<String>,
}

/// The counters of one thread, or of several that one after the other used the same slot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Thread {
    /// Thread id of the latest thread of this entry; 0 for the calls that were counted together: those of
    /// threads that found no slot, and the last ones of threads that were ending. They are not timed.
    pub tid: u32,
    /// Name of the latest thread of this entry.
    pub name: String,
    /// How many threads, one after the other, this entry stands for; where `tid` is 0, how many found no
    /// slot.
    pub threads: u64,
    /// When the first of them made its first call, after the start of the image.
    pub started_ns: u64,
    /// Whether the latest thread had not ended when the report was made.
    pub running: bool,
    /// Bytes it allocated less bytes it freed (a thread that frees what others allocated is negative).
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
    /// Bytes asked for.
    pub requested_bytes: u64,
    /// Bytes moved.
    pub moved_bytes: u64,
    /// Calls that were timed.
    pub timed: u64,
    /// Sum over the timed calls.
    pub total_ns: u64,
}

/// Counters over time. Points are `interval_ns` apart at the least, but for the last, which is the
/// moment of the report; when there would be too many, the interval doubles, and every second is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Timeline {
    /// Least distance of two points.
    pub interval_ns: u64,
    /// The points; counters are totals since the start of the image.
    pub points: Vec<TimelinePoint>,
}

/// The counters at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TimelinePoint {
    /// Time since the start of the image.
    pub at_ns: u64,
    /// Live bytes of the heap.
    pub live_bytes: i64,
    /// Calls of allocation functions.
    pub alloc_calls: u64,
    /// Bytes asked of allocation functions.
    pub alloc_bytes: u64,
    /// Calls of I/O functions.
    pub io_calls: u64,
    /// Bytes read.
    pub read_bytes: u64,
    /// Bytes written.
    pub written_bytes: u64,
}

/// One slow call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SlowCall {
    /// The function.
    pub function: String,
    /// How long the call took.
    pub took_ns: u64,
    /// When it began, after the start of its image.
    pub at_ns: u64,
    /// Process id.
    pub pid: u32,
    /// Thread id.
    pub tid: u32,
    /// Size that it asked for, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// File descriptor, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fd: Option<i32>,
}

/// Functions that lead to the same places.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProvenanceGroup {
    /// Where they lead.
    #[serde(flatten)]
    pub leads: Provenance,
    /// The functions, in alphabetical order.
    pub functions: Vec<Cow<'static, str>>,
}

/// Where an interposed function leads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Provenance {
    /// The object in which RTLD_NEXT found the function; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The object whose definition the program's own calls reach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound: Option<String>,
    /// Whether the program's own calls reach Weir. False means that calls from the program itself
    /// are not in this report.
    pub interposed: bool,
}

/// What a report does not tell, in numbers. No number can be told of the system calls that the C
/// library makes inside other functions, or the program without it: those are never seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Missed {
    /// Timed calls whose latency is in no histogram, because a ring was full.
    pub dropped_samples: u64,
    /// Calls that Weir itself made, and the C library for it.
    pub reentrant_calls: u64,
    /// Calls that were counted but not timed.
    pub untimed_calls: u64,
    /// Calls that were passed through before or after Weir could count, in no counter.
    pub uncounted_calls: u64,
    /// Failed calls whose errno is not told, because the table was full.
    pub unlisted_errnos: u64,
    /// Threads that found no slot of their own: counted exactly, in the common slot, never timed.
    pub threads_without_slot: u64,
    /// Functions that the program binds elsewhere than to Weir.
    pub not_interposed: Vec<String>,
    /// Programs that were started and are not in the report, as far as is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub untraced: Vec<Untraced>,
    /// Starts of programs that there was no room to note: whether these were traced is not known.
    #[serde(default)]
    pub unlisted_starts: u64,
    /// io_uring, where there was a sign of it: what goes through its rings passes the C library by, and is neither
    /// counted nor timed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub io_uring: Option<IoUring>,
    /// All else that a reader should know, a sentence each.
    pub notes: Vec<String>,
}

/// What was seen of io_uring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct IoUring {
    /// The surest sign.
    pub seen: IoUringSeen,
    /// Path of the library for it, where one was loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub library: Option<String>,
}

/// A sign of io_uring; the later ones are surer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum IoUringSeen {
    /// A library for it was loaded. Whether it was used is not known: a ring that is closed before the end leaves no trace.
    Loaded,
    /// A ring was asked for by `syscall`, and may have been refused.
    AskedFor,
    /// There was a ring.
    Used,
}

/// A program that was started and not traced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Untraced {
    /// Process id.
    pub pid: u32,
    /// The program's path, as its start named it.
    pub program: String,
    /// Why it was not traced; reads on after the program's name.
    pub reason: String,
}

/// The cost of the measurement.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Tool {
    /// Memory of the region: header and the slots in use.
    pub region_bytes: u64,
    /// Memory of the writer where it lives in the program; 0 where it lives in `weir`.
    pub writer_bytes: u64,
    /// Samples taken.
    pub samples: u64,
    /// Times the writer looked for samples.
    pub writer_polls: u64,
    /// Processor time of the writer.
    pub writer_cpu_ns: u64,
}
