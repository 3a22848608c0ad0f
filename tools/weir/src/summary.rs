//! The summary that `weir run` prints at the end: half a screen, on standard error.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::Path;

use weir_report::model::{Function, Process, Report};

use crate::cli::{Group, Metric, STANDARD_OUTPUT, Sort};
use crate::report::measure::{self, Part, Time, Totals};
use crate::report::page::{Cell, Column, Table};
use crate::report::sites::greatest;
use crate::report::{ending, files, heap, in_flight, shortcomings};
use crate::sites::{Naming, Sites};
use crate::symbols::DEBUG_DIRECTORY;
use crate::{text, units};

/// How many functions are shown.
const FUNCTIONS: usize = 4;
/// How many files and sockets are shown.
const FILES: usize = 3;
/// How many call sites are shown of each sum.
const CALL_SITES: [(Group, Metric, usize); 4] = [
    (Group::Allocation, Metric::Bytes, 3),
    (Group::Allocation, Metric::Live, 2),
    (Group::Io, Metric::Time, 2),
    (Group::Wait, Metric::Time, 1),
];
/// How many shortcomings and notes are shown; the report has all.
const SHORTCOMINGS: usize = 2;
/// The widest that a line gets.
const WIDTH: usize = 100;

/// Writes the summary of a report that was written to a file, every line beginning `weir: `.
pub fn summary(
    report: &Report,
    json_path: &Path,
    sort: Sort,
    out: &mut dyn Write,
) -> io::Result<()> {
    // In one piece, so that nothing of another process comes between the lines.
    let mut text = String::new();
    for line in lines(report, json_path, sort) {
        let _ = writeln!(text, "weir: {line}");
    }
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn lines(report: &Report, json_path: &Path, sort: Sort) -> Vec<String> {
    let totals = Totals::of(&report.functions);
    let heap = &report.heap;
    let ran = format!(
        "{} after {}",
        ending(&report.end),
        units::time(report.duration_ns)
    );
    let command = text::command_line(&report.command);
    let mut lines = vec![format!(
        "{}: {ran}",
        text::cut(&command, WIDTH.saturating_sub(text::width(&ran) + 2))
    )];

    let images = report.processes.iter().map(Process::stands_for);
    let processes = match images.fold(0, u64::saturating_add) {
        1 => String::new(),
        many => format!(" in {}", text::counted(many, "process", "processes")),
    };
    let failed = match totals.errors {
        0 => "none failed".to_owned(),
        errors => format!("{} failed", units::count(errors)),
    };
    lines.push(format!(
        "calls  {}{processes}, {failed}",
        units::count(totals.calls)
    ));
    let asked_for = heap::asked_for(&totals, heap);
    let mut known = report
        .processes
        .iter()
        .filter(|of| of.heap.not_known.is_none());
    lines.push(if heap.not_known.is_some() && known.next().is_none() {
        format!("heap   {asked_for} asked for, peak and live at the end not known")
    } else {
        // Of several processes that which they had at one moment, where that was seen.
        let peak = match &report.tree_peak {
            Some(peak) => {
                let bytes = heap::at_once(peak, report.processes.iter());
                format!("{} at once", units::bytes(bytes))
            }
            None => units::bytes(heap.peak_bytes),
        };
        format!(
            "heap   {asked_for} asked for, peak {peak}, {} live at the end in {} {}",
            units::signed_bytes(heap.live_bytes),
            units::signed_count(heap.live_blocks),
            if heap.live_blocks == 1 {
                "block"
            } else {
                "blocks"
            },
        )
    });
    let copied = match totals.copied_bytes {
        0 => String::new(),
        bytes => format!(", {} from descriptor to descriptor", units::bytes(bytes)),
    };
    lines.push(format!(
        "I/O    {} read, {} written{copied}",
        units::bytes(totals.read_bytes),
        units::bytes(totals.written_bytes),
    ));
    lines.extend(time(report));
    lines.extend(functions(report, sort));
    lines.extend(used_files(report, sort));
    lines.extend(call_sites(report));
    lines.extend(
        in_flight::in_a_line(&report.processes)
            .map(|call| format!("in     {}", text::printable(&call))),
    );

    let mut shortcomings = shortcomings(&report.missed);
    let notes = report.missed.notes.iter();
    shortcomings.extend(notes.map(|note| format!("note: {note}")));
    for shortcoming in shortcomings.iter().take(SHORTCOMINGS) {
        lines.push(text::printable(shortcoming).into_owned());
    }
    if shortcomings.len() > SHORTCOMINGS {
        lines.push(format!(
            "not shown: {} more limitations, in the report",
            shortcomings.len() - SHORTCOMINGS
        ));
    }
    let path = json_path.to_string_lossy().into_owned();
    lines.push(match path == STANDARD_OUTPUT {
        true => "report on standard output".to_owned(),
        false => format!(
            "report in {0} (weir report {0})",
            text::command_line(&[path])
        ),
    });
    lines
}

/// What the calls to the kernel were for; none where nothing was timed.
fn time(report: &Report) -> Option<String> {
    let words = [
        ("transfer", "in transfer"),
        ("wait", "waiting"),
        ("memory_map", "mapping memory"),
        ("other", "in other I/O calls"),
    ];
    let told: Vec<String> = words
        .into_iter()
        .filter_map(|(name, words)| {
            let activity = report.activities.get(name)?;
            (activity.total_ns > 0).then(|| format!("{} {words}", units::time(activity.total_ns)))
        })
        .collect();
    (!told.is_empty()).then(|| format!("time   {}", told.join(", ")))
}

/// The functions at the head of the order, under their titles.
fn functions(report: &Report, sort: Sort) -> Vec<String> {
    let mut called = measure::called(&report.functions, sort);
    // What waits longest would hide what is slow; its time has a line of its own.
    called.retain(|(name, function)| {
        sort != Sort::Time || Part::of(name, &function.family) != Part::Wait
    });
    if called.is_empty() {
        return Vec::new();
    }
    let mut table = Table::new([
        Column::name("function", 0, 12),
        Column::number("calls", 0),
        Column::number("p50", 0),
        Column::number("p99", 0),
        Column::number("max", 0),
        Column::number("total", 0),
    ]);
    for (name, function) in called.into_iter().take(FUNCTIONS) {
        table.push(row(name, function));
    }
    table.fitted(WIDTH).lines(false)
}

/// The files and sockets at the head of the order, of those from which or to which anything was moved: what is only
/// waited for is not among them.
fn used_files(report: &Report, sort: Sort) -> Vec<String> {
    let mut table = Table::new([
        Column::path("file or socket", 0, 24),
        Column::name("kind", 0, 10),
        Column::number("read", 0),
        Column::number("written", 0),
        Column::number("time", 0),
    ]);
    let mut used = files::in_order(&report.files, sort);
    used.retain(|file| file.reads > 0 || file.writes > 0);
    if used.is_empty() {
        return Vec::new();
    }
    for file in used.into_iter().take(FILES) {
        table.push([
            Cell::new(files::name(file)),
            Cell::new(&file.kind),
            Cell::new(files::moved(file.read_bytes, file.reads)),
            Cell::new(files::moved(file.written_bytes, file.writes)),
            Cell::new(files::time(file)),
        ]);
    }
    table.fitted(WIDTH).lines(false)
}

/// Where in the program most was allocated, and most time went; none where no call stacks were recorded.
fn call_sites(report: &Report) -> Vec<String> {
    let Some(sites) = Sites::of(&report.processes, &[DEBUG_DIRECTORY.into()], Naming::Quick) else {
        return Vec::new();
    };
    let greatest: Vec<_> = CALL_SITES
        .into_iter()
        .flat_map(|(group, metric, count)| greatest(&sites, group, metric, count))
        .collect();
    if greatest.is_empty() {
        return Vec::new();
    }
    let mut table = Table::new([
        Column::name("call site", 0, 24),
        Column::name("called", 0, 8),
        Column::number("calls", 0),
        Column::number("share", 0),
    ]);
    for site in greatest {
        table.push([
            Cell::new(site.place),
            Cell::new(site.called),
            Cell::new(site.count),
            Cell::new(site.share),
        ]);
    }
    table.fitted(WIDTH).lines(false)
}

fn row(name: &str, function: &Function) -> [Cell; 6] {
    let latency = |ns: Option<u64>| Cell::new(ns.map_or(units::NONE.to_owned(), units::time));
    let timed = function.latency.as_ref();
    [
        Cell::new(name),
        Cell::new(units::count(function.calls)),
        latency(timed.map(|latency| latency.p50_ns)),
        latency(timed.map(|latency| latency.p99_ns)),
        latency(timed.map(|latency| latency.max_ns)),
        Cell::new(Time::of(function).map_or(units::NONE.to_owned(), |time| time.to_string())),
    ]
}

#[cfg(test)]
mod tests;
