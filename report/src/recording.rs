//! From process images to one report.

mod groups;
mod interest;
mod merge;
mod together;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use weir_record::clock::Moment;
use weir_record::region::Region;

use crate::calendar::Utc;
use crate::latency::{self, Timed};
use crate::model::{
    Coroutines, End, Function, Heap, Latency, Looks, Missed, Parts, Process, Report, SCHEMA,
    SizeClass, SlowCall, TimelinePoint, Tool,
};
use crate::process::REPORTED_SLOW_CALLS;
use crate::totals::Totals;
use crate::untraced::Hindered;
use crate::writer::Writer;
use crate::{activity, estimate, files, timeline};

pub use groups::{Groups, MOST_GROUPS, weight};
pub use interest::{MOST_WHOLE, fold_what_is_not_of_interest};
pub use merge::Merge;
pub use together::{functions_together, together};

/// One report of all process images, in the order of their start. `end` is the first one's, and
/// `duration_ns` is from its start to the end of the recording.
pub fn report(mut processes: Vec<Process>, end: End, duration_ns: u64) -> Report {
    processes.sort_by_key(|process| process.started_unix_ns);
    let first = processes.first();
    let started_unix_ns = first.map_or(0, |first| first.started_unix_ns);
    Report {
        schema: SCHEMA.to_owned(),
        weir_version: env!("CARGO_PKG_VERSION").to_owned(),
        command: first.map(|first| first.command.clone()).unwrap_or_default(),
        started_unix_ns,
        started_at: Some(Utc::of_unix_ns(started_unix_ns).to_string()),
        duration_ns,
        end,
        timed_one_in: first.map_or(0, |first| first.timed_one_in),
        functions: functions_together(&processes),
        heap: heap(&processes),
        activities: activity::together(processes.iter().map(|process| &process.activities)),
        files: files::together(processes.iter().map(|process| &process.files)),
        coroutines: Coroutines::together(processes.iter().filter_map(|of| of.coroutines.as_ref())),
        slowest: slowest(&processes, |process| &process.slowest),
        longest_waits: slowest(&processes, |process| &process.longest_waits),
        missed: missed(&processes),
        tool: tool(&processes),
        runs: 1,
        parts: Vec::new(),
        folded_processes: folded(&processes),
        tree_peak: None,
        processes,
    }
}

/// The report of a single region as it is at this moment, whatever it holds. Takes its notes of programs that were started.
pub fn report_of(region: Region<'_>, now: Moment, end: End) -> Report {
    let mut process = Writer::new(region).process(now, end.clone());
    let mut hindered = Hindered::default();
    hindered.take(region.header);
    hindered.report_in(&mut process.missed);
    let duration_ns = process.duration_ns;
    report(vec![process], end, duration_ns)
}

/// The counts of a region as they are at this moment: a point of its timeline, at 0.
pub fn counts_of(region: Region<'_>) -> TimelinePoint {
    timeline::point(0, &Totals::of(region))
}

/// How many process images have no entry of their own.
fn folded(processes: &[Process]) -> u64 {
    let folded = processes.iter().filter(|process| process.folded.is_some());
    images(folded)
}

/// How many process images these entries are of.
fn images<'a>(processes: impl IntoIterator<Item = &'a Process>) -> u64 {
    let counts = processes.into_iter().map(Process::stands_for);
    counts.fold(0, u64::saturating_add)
}

fn add(to: &mut u64, by: u64) {
    *to = to.saturating_add(by);
}

/// One function over several process images.
fn function(parts: &[&Function]) -> Function {
    let mut sum = Function::default();
    let mut classes: BTreeMap<(u64, u64), u64> = BTreeMap::new();
    for part in parts {
        sum.family.clone_from(&part.family);
        add(&mut sum.calls, part.calls);
        add(&mut sum.errors, part.errors);
        add(&mut sum.requested_bytes, part.requested_bytes);
        add(&mut sum.moved_bytes, part.moved_bytes);
        add(&mut sum.reentrant, part.reentrant);
        for (errno, &calls) in &part.errors_by_errno {
            add(sum.errors_by_errno.entry(errno.clone()).or_default(), calls);
        }
        for class in &part.size_classes {
            let bounds = (class.from_bytes, class.to_bytes);
            add(classes.entry(bounds).or_default(), class.calls);
        }
    }
    sum.size_classes = classes
        .into_iter()
        .map(|((from_bytes, to_bytes), calls)| SizeClass {
            from_bytes,
            to_bytes,
            calls,
        })
        .collect();
    let latencies: Vec<&Latency> = parts
        .iter()
        .filter_map(|part| part.latency.as_deref())
        .collect();
    sum.latency = latency_of(&latencies).map(Box::new);
    let latency = sum.latency.as_deref();
    sum.estimated = latency.and_then(|latency| estimate::of(sum.calls, latency));
    sum.parts = in_parts(
        parts
            .iter()
            .filter_map(|part| part.parts.as_deref())
            .collect(),
    )
    .map(Box::new);
    sum.looks = Looks::together(parts.iter().filter_map(|part| part.looks));
    sum
}

/// The two parts of a function's calls over several process images.
fn in_parts(all: Vec<&Parts>) -> Option<Parts> {
    let mut sum = Parts::default();
    for part in &all {
        add(&mut sum.calls, part.calls);
        add(&mut sum.waits, part.waits);
    }
    let of = |part: fn(&Parts) -> &Latency| -> Vec<&Latency> {
        all.iter().map(|parts| part(parts)).collect()
    };
    sum.wait = latency_of(&of(|parts| &parts.wait))?;
    sum.transfer = latency_of(&of(|parts| &parts.transfer))?;
    Some(sum)
}

fn latency_of(parts: &[&Latency]) -> Option<Latency> {
    match parts {
        [] => None,
        [one] => Some((*one).clone()),
        several => latency(several),
    }
}

/// The histograms are added, and the percentiles are those of the sum.
///
/// Not inlined: what inflates a histogram takes much of the stack, which a report of one process does without.
#[inline(never)]
fn latency(parts: &[&Latency]) -> Option<Latency> {
    let mut histogram = latency::empty()?;
    let mut timed = Timed::default();
    for part in parts {
        add(&mut timed.calls, part.timed);
        add(&mut timed.total_ns, part.total_ns);
        timed.slowest_ns = timed.slowest_ns.max(part.max_ns);
        // One that is not a histogram adds nothing: its calls count as dropped.
        latency::add_text(&mut histogram, &part.histogram);
    }
    Some(latency::figures(&histogram, timed))
}

fn heap(processes: &[Process]) -> Heap {
    let mut sum = Heap::default();
    let add_signed = |to: &mut i64, by: i64| *to = to.saturating_add(by);
    let (known, unknown): (Vec<&Process>, Vec<&Process>) = processes
        .iter()
        .partition(|process| process.heap.not_known.is_none());
    for part in known.into_iter().map(|process| &process.heap) {
        add_signed(&mut sum.live_bytes, part.live_bytes);
        add_signed(&mut sum.live_blocks, part.live_blocks);
        add(&mut sum.peak_bytes, part.peak_bytes);
        add(&mut sum.peak_error_bytes, part.peak_error_bytes);
        add_signed(&mut sum.inherited_bytes, part.inherited_bytes);
        add_signed(&mut sum.inherited_blocks, part.inherited_blocks);
    }
    sum.not_known = unknown.first().and_then(|first| {
        let reason = first.heap.not_known.as_deref()?;
        Some(match (images(unknown.iter().copied()), images(processes)) {
            (some, all) if some == all => reason.to_owned(),
            (1, all) => format!("of 1 of {all} processes: {reason}"),
            (some, all) => format!("of {some} of {all} processes; of the first: {reason}"),
        })
    });
    sum
}

fn slowest(processes: &[Process], of: fn(&Process) -> &Vec<SlowCall>) -> Vec<SlowCall> {
    let calls = processes.iter().flat_map(of);
    let mut slowest: Vec<&SlowCall> = calls.collect();
    slowest.sort_by_key(|call| Reverse(call.took_ns));
    slowest.truncate(REPORTED_SLOW_CALLS);
    slowest.into_iter().cloned().collect()
}

fn missed(processes: &[Process]) -> Missed {
    let mut sum = Missed::default();
    let mut not_interposed: BTreeSet<&String> = BTreeSet::new();
    for part in processes.iter().map(|process| &process.missed) {
        add(&mut sum.dropped_samples, part.dropped_samples);
        add(&mut sum.reentrant_calls, part.reentrant_calls);
        add(&mut sum.untimed_calls, part.untimed_calls);
        add(&mut sum.uncounted_calls, part.uncounted_calls);
        add(&mut sum.unlisted_errnos, part.unlisted_errnos);
        add(&mut sum.threads_without_slot, part.threads_without_slot);
        add(&mut sum.unlisted_starts, part.unlisted_starts);
        sum.untraced.extend(part.untraced.iter().cloned());
        not_interposed.extend(&part.not_interposed);
        if let Some(part) = &part.io_uring {
            let sum = sum.io_uring.get_or_insert_with(|| part.clone());
            sum.seen = sum.seen.max(part.seen);
            sum.library = sum.library.take().or_else(|| part.library.clone());
        }
    }
    sum.not_interposed = not_interposed.into_iter().cloned().collect();
    sum.notes = notes(processes);
    sum
}

/// Every note once, with whom it is about where that is not everyone.
fn notes(processes: &[Process]) -> Vec<String> {
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    let mut notes: Vec<(&str, u64, &Process)> = Vec::new();
    for process in processes {
        for (note, count) in process.notes() {
            let place = *places.entry(note).or_insert(notes.len());
            match notes.get_mut(place) {
                Some((_, sum, _)) => add(sum, count),
                None => notes.push((note, count, process)),
            }
        }
    }
    let all = images(processes);
    notes
        .into_iter()
        .map(|(note, count, first)| match count {
            many if many >= all => note.to_owned(),
            1 if first.folded.is_none() => format!("process {}: {note}", first.pid),
            some => format!("{some} of {all} processes: {note}"),
        })
        .collect()
}

fn tool(processes: &[Process]) -> Tool {
    let mut sum = Tool::default();
    for part in processes.iter().map(|process| &process.tool) {
        add(&mut sum.region_bytes, part.region_bytes);
        add(&mut sum.writer_bytes, part.writer_bytes);
        add(&mut sum.samples, part.samples);
        add(&mut sum.writer_polls, part.writer_polls);
        add(&mut sum.writer_cpu_ns, part.writer_cpu_ns);
    }
    sum
}
