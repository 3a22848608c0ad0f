//! From a region: what its process image did.

mod coroutines;
mod functions;
mod heap;
mod in_flight;
mod missed;
mod provenance;
mod slow;
mod stacks;
mod threads;

use std::sync::atomic::Ordering::Relaxed;

use weir_record::clock::{Moment, Rate};
use weir_record::region::{Circumstance, Region};
use weir_record::text::Text;

use crate::calendar::Utc;
use crate::latency::Latencies;
use crate::model::{End, Files, LatencyOverTime, Process, Timeline, Tool};
use crate::totals::Totals;
use crate::{activity, files};

pub use slow::REPORTED as REPORTED_SLOW_CALLS;

/// What the writer has gathered of an image.
pub struct Findings<'a> {
    pub region: Region<'a>,
    pub started: Moment,
    pub duration_ns: u64,
    pub end: End,
    /// Nanoseconds for ticks; none where the clocks did not advance, and then nothing was timed.
    pub rate: Option<Rate>,
    pub timeline: Timeline,
    pub latency_over_time: Option<LatencyOverTime>,
    pub totals: &'a Totals,
    pub latencies: &'a Latencies,
    pub tool: Tool,
}

/// The process image's part of a report.
pub fn process(findings: Findings<'_>) -> Process {
    let header = findings.region.header;
    let functions = functions::functions(&findings);
    let provenance = provenance::provenance(findings.region);
    let heap = heap::heap(&findings, &provenance);
    let files = files(&findings);
    let mut begun = in_flight::in_flight(&findings);
    let stacks = stacks::stacks(&findings, &heap, &files, &mut begun);
    Process {
        pid: header.pid.load(Relaxed),
        parent_pid: header.parent_pid.load(Relaxed),
        executable: text(&header.executable),
        command: command(&header.command),
        title: None,
        forked: header.has(Circumstance::Forked),
        started_unix_ns: findings.started.unix_ns,
        started_at: Some(Utc::of_unix_ns(findings.started.unix_ns).to_string()),
        duration_ns: findings.duration_ns,
        timed_one_in: header.timed_one_in.load(Relaxed),
        missed: missed::missed(&findings, &functions, &provenance, &heap),
        heap,
        threads: threads::threads(&findings),
        activities: activity::activities(findings.totals, findings.rate),
        files,
        coroutines: coroutines::coroutines(&findings),
        stacks,
        slowest: slow::slowest(&findings, false),
        longest_waits: slow::slowest(&findings, true),
        in_flight: begun.into_iter().map(|begun| begun.call).collect(),
        functions,
        provenance,
        end: findings.end,
        folded: None,
        timeline: findings.timeline,
        latency_over_time: findings.latency_over_time.map(Box::new),
        tool: findings.tool,
    }
}

fn files(findings: &Findings<'_>) -> Files {
    let header = findings.region.header;
    let clock = files::Clock {
        ns: &|ticks| findings.rate.map_or(0, |rate| rate.ns(ticks)),
        started_ticks: findings.started.ticks,
        pid: header.pid.load(Relaxed),
    };
    let entries = findings.region.files();
    files::of_image(entries, header.folded_files.get(), &clock)
}

fn text<const N: usize>(text: &Text<N>) -> String {
    let bytes: Vec<u8> = text.bytes().collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Every argument is ended by NUL, but for one that was cut.
fn command<const N: usize>(text: &Text<N>) -> Vec<String> {
    let bytes: Vec<u8> = text.bytes().collect();
    bytes
        .split_inclusive(|&byte| byte == 0)
        .map(|argument| argument.strip_suffix(&[0]).unwrap_or(argument))
        .map(|argument| String::from_utf8_lossy(argument).into_owned())
        .collect()
}
