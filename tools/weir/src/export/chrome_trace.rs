//! The Trace Event Format, which Perfetto, chrome://tracing and others open: the images of processes as slices, their slowest calls in
//! them, and counters over time.
//!
//! <https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU>

use std::io::{self, Write};

use serde_json::{Value, json};
use weir_report::model::{Process, SlowCall, TimelinePoint};

use crate::report::{Subject, ending, process_name};
use crate::text;

/// Nanoseconds, as the microseconds of the format.
fn microseconds(ns: u64) -> f64 {
    ns as f64 / 1000.0
}

pub fn write(subjects: &[Subject<'_>], out: &mut dyn Write) -> io::Result<()> {
    let mut events = Vec::new();
    let images = || subjects.iter().flat_map(|subject| &subject.processes);
    // Entries of many images are of no time.
    let images = || images().filter(|image| image.folded.is_none());
    let began = images().map(|image| image.started_unix_ns).min();
    for image in images() {
        let offset_ns = image.started_unix_ns.saturating_sub(began.unwrap_or(0));
        names(image, &mut events);
        slices(image, offset_ns, &mut events);
        counters(image, offset_ns, &mut events);
    }
    let trace = json!({
        "traceEvents": events,
        "displayTimeUnit": "ns",
        "otherData": { "tool": concat!("weir ", env!("CARGO_PKG_VERSION")) },
    });
    serde_json::to_writer(&mut *out, &trace)?;
    out.write_all(b"\n")
}

fn names(image: &Process, events: &mut Vec<Value>) {
    let program = process_name(image);
    let name = |what: &str, tid: u32, name: &str| json!({ "ph": "M", "name": what, "pid": image.pid, "tid": tid, "args": { "name": name } });
    events.push(name("process_name", image.pid, program));
    for thread in image.threads.iter().filter(|thread| thread.tid != 0) {
        events.push(name("thread_name", thread.tid, &thread.name));
    }
}

/// A slice of a thread: from and up to when, in nanoseconds since the image's start.
struct Slice {
    tid: u32,
    from_ns: u64,
    to_ns: u64,
    name: String,
    category: &'static str,
    arguments: Value,
}

fn slices(image: &Process, offset_ns: u64, events: &mut Vec<Value>) {
    let mut slices = vec![Slice {
        tid: image.pid,
        from_ns: 0,
        to_ns: image.duration_ns,
        name: text::file_name(&image.executable).to_owned(),
        category: "image",
        arguments: json!({ "command": text::command_line(&image.command), "end": ending(&image.end) }),
    }];
    slices.extend(image.slowest.iter().map(|call| slow(call, "call")));
    slices.extend(image.longest_waits.iter().map(|call| slow(call, "wait")));
    for call in &image.in_flight {
        let (Some(at_ns), Some(age_ns)) = (call.at_ns, call.age_ns) else {
            continue;
        };
        slices.push(Slice {
            tid: call.tid,
            from_ns: at_ns,
            to_ns: at_ns.saturating_add(age_ns),
            name: call.function.clone(),
            category: "in flight",
            arguments: json!({ "fd": call.fd, "file": call.file, "looks": call.looks }),
        });
    }
    for slice in nested(slices) {
        events.push(json!({
            "ph": "X",
            "name": slice.name,
            "cat": slice.category,
            "pid": image.pid,
            "tid": slice.tid,
            "ts": microseconds(offset_ns.saturating_add(slice.from_ns)),
            "dur": microseconds(slice.to_ns - slice.from_ns),
            "args": slice.arguments,
        }));
    }
}

fn slow(call: &SlowCall, category: &'static str) -> Slice {
    Slice {
        tid: call.tid,
        from_ns: call.at_ns,
        to_ns: call.at_ns.saturating_add(call.took_ns),
        name: call.function.clone(),
        category,
        arguments: json!({ "size_bytes": call.size_bytes, "fd": call.fd, "looks": call.looks }),
    }
}

/// The slices of each thread so that of two one holds the other, or they do not touch: readers of the format show nothing else. A call can seem to
/// end behind the one that made it, because the times of calls are those of another clock than the image's; it is cut there.
fn nested(mut slices: Vec<Slice>) -> Vec<Slice> {
    // The longer one first, of those that begin together.
    slices.sort_by_key(|slice| (slice.tid, slice.from_ns, std::cmp::Reverse(slice.to_ns)));
    let mut open: Vec<(u32, u64)> = Vec::new();
    for slice in &mut slices {
        while open
            .last()
            .is_some_and(|&(tid, to_ns)| tid != slice.tid || to_ns <= slice.from_ns)
        {
            open.pop();
        }
        if let Some(&(_, to_ns)) = open.last() {
            slice.to_ns = slice.to_ns.min(to_ns);
        }
        slice.to_ns = slice.to_ns.max(slice.from_ns);
        open.push((slice.tid, slice.to_ns));
    }
    slices
}

/// A counter: its name, the name of its value, and that of a point.
type Counter = (
    &'static str,
    &'static str,
    fn(&TimelinePoint) -> Option<f64>,
);

/// What has a value at each point.
const LEVELS: [Counter; 3] = [
    ("live heap", "bytes", |point| Some(point.live_bytes as f64)),
    ("resident memory", "bytes", |point| {
        Some(point.usage?.resident_bytes as f64)
    }),
    ("threads", "threads", |point| Some(point.threads?.into())),
];

/// What grows from point to point: it is shown for each second.
const GROWING: [Counter; 8] = [
    ("allocation calls", "calls/s", |point| {
        Some(point.alloc_calls as f64)
    }),
    ("allocated", "bytes/s", |point| {
        Some(point.alloc_bytes as f64)
    }),
    ("I/O calls", "calls/s", |point| Some(point.io_calls as f64)),
    ("read", "bytes/s", |point| Some(point.read_bytes as f64)),
    ("written", "bytes/s", |point| {
        Some(point.written_bytes as f64)
    }),
    ("copied", "bytes/s", |point| Some(point.copied_bytes as f64)),
    ("CPU", "processors", |point| {
        let usage = point.usage?;
        Some(usage.user_ns.saturating_add(usage.system_ns) as f64 / 1e9)
    }),
    ("page faults", "faults/s", |point| {
        let usage = point.usage?;
        Some(usage.minor_faults.saturating_add(usage.major_faults) as f64)
    }),
];

fn counters(image: &Process, offset_ns: u64, events: &mut Vec<Value>) {
    let mut event = |name: &str, unit: &str, at_ns: u64, value: f64| {
        events.push(json!({
            "ph": "C",
            "name": name,
            "pid": image.pid,
            "ts": microseconds(offset_ns.saturating_add(at_ns)),
            "args": { unit: value },
        }));
    };
    let points = &image.timeline.points;
    for (name, unit, value) in LEVELS {
        let is_known = name != "live heap" || image.heap.not_known.is_none();
        for point in points.iter().filter(|_| is_known) {
            if let Some(value) = value(point) {
                event(name, unit, point.at_ns, value);
            }
        }
    }
    for (name, unit, value) in GROWING {
        let known = points
            .iter()
            .filter_map(|point| Some((point.at_ns, value(point)?)));
        let known: Vec<(u64, f64)> = known.collect();
        for pair in known.windows(2) {
            let [(from_ns, before), (to_ns, after)] = *pair else {
                continue;
            };
            let seconds = to_ns.saturating_sub(from_ns) as f64 / 1e9;
            if seconds > 0.0 {
                // A value holds until the next one.
                event(name, unit, from_ns, (after - before).max(0.0) / seconds);
            }
        }
        // Nothing after the end.
        if let Some(&(at_ns, _)) = known.last().filter(|_| known.len() > 1) {
            event(name, unit, at_ns, 0.0);
        }
    }
}
