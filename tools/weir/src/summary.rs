//! The summary that `weir run` prints at the end, on standard error: what is wrong, then the greatest numbers.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::iter;
use std::ops::RangeInclusive;
use std::path::Path;

use anstyle::Style;
use weir_report::model::{Function, Process, Report};

use crate::cli::{Group, Metric, STANDARD_OUTPUT, Sort};
use crate::report::measure::{self, CallSums, Part, Time};
use crate::report::page::{Cell, Column, Table, painted};
use crate::report::sites::greatest;
use crate::report::{Subject, ending, files, findings, heap, in_flight, shortcomings, time};
use crate::sites::{Naming, Sites};
use crate::symbols::DEBUG_DIRECTORY;
use crate::{output, text, units};

/// How many findings are shown; the report has all.
const FINDINGS: usize = 8;
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
/// What every line begins with.
const HEAD: &str = "weir: ";
/// The widths that are made use of, the head not included.
const WIDTHS: RangeInclusive<usize> = 54..=194;
/// The width where standard error is no terminal, the head not included.
const WIDTH: usize = 100;

/// How to show a summary.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// The order of functions and files.
    pub sort: Sort,
    /// How many lines each table has, if not as many as it is worth.
    pub top: Option<usize>,
    width: usize,
    is_terminal: bool,
    coloured: bool,
}

impl Look {
    /// As the terminal of standard error has it.
    pub fn new(sort: Sort, top: Option<usize>) -> Look {
        let terminal = output::error_terminal();
        let width = terminal.map(|columns| columns.saturating_sub(HEAD.len()));
        Look {
            sort,
            top,
            width: width.map_or(WIDTH, |width| width.clamp(*WIDTHS.start(), *WIDTHS.end())),
            is_terminal: terminal.is_some(),
            coloured: output::is_error_coloured(),
        }
    }

    fn rows(&self, usual: usize) -> usize {
        self.top.unwrap_or(usual)
    }

    /// A name and its value, the value wrapped in its column.
    fn pair(&self, name: &str, value: &str) -> Vec<String> {
        /// The longest name, and a gap.
        const NAME: usize = "calls".len() + 2;
        let lines = text::wrap(value, self.width.saturating_sub(NAME));
        let names = iter::once(name).chain(iter::repeat(""));
        let named = names.zip(lines);
        named
            .map(|(name, line)| format!("{name:<NAME$}{line}"))
            .collect()
    }

    /// A sentence, which is left whole where a program may look for it.
    fn sentence(&self, sentence: &str) -> Vec<String> {
        match self.is_terminal {
            true => text::wrap(sentence, self.width),
            false => vec![sentence.to_owned()],
        }
    }

    fn table(&self, table: Table) -> Vec<String> {
        table.fitted(self.width).lines(false)
    }
}

/// Writes the summary of a report that was written to a file, every line beginning `weir: `.
pub fn summary(
    report: &Report,
    json_path: &Path,
    look: Look,
    out: &mut dyn Write,
) -> io::Result<()> {
    // In one piece, so that nothing of another process comes between the lines.
    let mut text = String::new();
    for line in lines(report, json_path, &look) {
        let _ = writeln!(text, "{HEAD}{line}");
    }
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn lines(report: &Report, json_path: &Path, look: &Look) -> Vec<String> {
    let sites = Sites::of(&report.processes, &[DEBUG_DIRECTORY.into()], Naming::Quick);
    let mut lines = vec![ended(report, look)];
    lines.extend(found(report, sites.as_ref(), look));
    let numbers = numbers(report).into_iter().chain(time(report));
    lines.extend(numbers.flat_map(|(name, value)| look.pair(name, &value)));
    lines.extend(functions(report, look));
    lines.extend(used_files(report, look));
    lines.extend(sites.iter().flat_map(|sites| call_sites(sites, look)));
    let call = in_flight::in_a_line(&report.processes, sites.as_ref());
    lines.extend(
        call.iter()
            .flat_map(|call| look.pair("in", &text::printable(call))),
    );
    let limits = limits(report);
    lines.extend(limits.iter().flat_map(|limit| look.sentence(limit)));
    let path = json_path.to_string_lossy().into_owned();
    lines.push(match path == STANDARD_OUTPUT {
        true => "report on standard output".to_owned(),
        false => format!("more: weir report {}", text::command_line(&[path])),
    });
    lines
}

/// How the program ended.
fn ended(report: &Report, look: &Look) -> String {
    let ran = format!(
        "{} after {}",
        ending(&report.end),
        units::time(report.duration_ns)
    );
    let command = text::command_line(&report.command);
    let room = look.width.saturating_sub(text::width(&ran) + 2);
    format!("{}: {ran}", text::cut(&command, room))
}

/// What is wrong.
fn found(report: &Report, sites: Option<&Sites>, look: &Look) -> Vec<String> {
    let findings = findings::of(&Subject::whole(report), sites);
    let shown = &findings[..findings.len().min(FINDINGS)];
    let mut lines = findings::lines(shown, look.width, look.coloured);
    if let more @ 1.. = findings.len() - shown.len() {
        let more = text::counted(more as u64, "more finding", "more findings");
        lines.push(painted(
            &format!("{more}, in the report"),
            Style::new().dimmed(),
            look.coloured,
        ));
    }
    lines
}

/// What the program asked for and moved.
fn numbers(report: &Report) -> Vec<(&'static str, String)> {
    let totals = CallSums::of(&report.functions);
    let heap = &report.heap;
    let mut lines = Vec::new();
    let images = report.processes.iter().map(Process::stands_for);
    let processes = match images.fold(0, u64::saturating_add) {
        1 => String::new(),
        many => format!(" in {}", text::counted(many, "process", "processes")),
    };
    let failed = match totals.errors {
        0 => "none failed".to_owned(),
        errors => format!("{} failed", units::count(errors)),
    };
    let calls = units::count(totals.calls);
    lines.push(("calls", format!("{calls}{processes}, {failed}")));
    let asked_for = heap::asked_for(&totals, heap);
    let mut known = report
        .processes
        .iter()
        .filter(|of| of.heap.not_known.is_none());
    let heap = if heap.not_known.is_some() && known.next().is_none() {
        format!("asked for {asked_for}, peak and live at the end not known")
    } else {
        // Of several processes that which they had at one moment, where that was seen.
        let peak = match &report.tree_peak {
            Some(peak) => {
                let bytes = heap::at_once(peak, report.processes.iter());
                format!("{} at once", units::bytes(bytes))
            }
            None => units::bytes(heap.peak_bytes),
        };
        let (bytes, blocks) = heap::of_their_own(heap);
        format!(
            "{asked_for} asked for, peak {peak}, {} live at the end in {} {}",
            units::signed_bytes(bytes),
            units::signed_count(blocks),
            if blocks == 1 { "block" } else { "blocks" },
        )
    };
    lines.push(("heap", heap));
    let copied = match totals.copied_bytes {
        0 => String::new(),
        bytes => format!(", {} from descriptor to descriptor", units::bytes(bytes)),
    };
    let moved = format!(
        "{} read, {} written{copied}",
        units::bytes(totals.read_bytes),
        units::bytes(totals.written_bytes),
    );
    lines.push(("I/O", moved));
    lines
}

/// What the report does not have.
fn limits(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
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
    lines
}

/// What the calls to the kernel were for; none where nothing was timed.
fn time(report: &Report) -> Option<(&'static str, String)> {
    let words = [
        ("transfer", "in transfer"),
        ("wait", "waiting"),
        ("lock", "waiting for locks"),
        ("memory_map", "mapping memory"),
        ("other", "in other I/O calls"),
    ];
    let other_sides = time::with_other_sides(&report.files, report.functions.values());
    let parts: Vec<String> = words
        .into_iter()
        .filter_map(|(name, words)| {
            let activity = report.activities.get(name)?;
            let of_it = match &other_sides {
                Some(part) if name == "transfer" && part.total_ns > 0 => {
                    let part = units::time(part.total_ns);
                    format!(" ({part} of it sockets, pipes and terminals)")
                }
                _ => String::new(),
            };
            (activity.total_ns > 0)
                .then(|| format!("{} {words}{of_it}", units::time(activity.total_ns)))
        })
        .collect();
    (!parts.is_empty()).then(|| ("time", parts.join(", ")))
}

/// The functions at the head of the order, under their titles.
fn functions(report: &Report, look: &Look) -> Vec<String> {
    let sort = look.sort;
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
        Column::number("p50", 2),
        Column::number("p99", 1),
        Column::number("max", 3),
        Column::number("total", 0),
    ]);
    for (name, function) in called.into_iter().take(look.rows(FUNCTIONS)) {
        table.push(row(name, function));
    }
    look.table(table)
}

/// The files and sockets at the head of the order, of those from which or to which anything was moved: what is only
/// waited for is not among them.
fn used_files(report: &Report, look: &Look) -> Vec<String> {
    let mut table = Table::new([
        Column::path("file or socket", 0, 20),
        Column::name("kind", 1, 10),
        Column::number("read", 0),
        Column::number("written", 0),
        Column::number("time", 0),
    ]);
    let mut used = files::in_order(&report.files, look.sort);
    used.retain(|file| file.reads > 0 || file.writes > 0);
    if used.is_empty() {
        return Vec::new();
    }
    for file in used.into_iter().take(look.rows(FILES)) {
        table.push([
            Cell::new(files::name(file)),
            Cell::new(&file.kind),
            Cell::new(files::moved(file.read_bytes, file.reads)),
            Cell::new(files::moved(file.written_bytes, file.writes)),
            Cell::new(files::time(file)),
        ]);
    }
    look.table(table)
}

/// Where in the program most was allocated, and most time went.
fn call_sites(sites: &Sites, look: &Look) -> Vec<String> {
    let greatest: Vec<_> = CALL_SITES
        .into_iter()
        .flat_map(|(group, metric, count)| greatest(sites, group, metric, look.rows(count)))
        .collect();
    if greatest.is_empty() {
        return Vec::new();
    }
    let mut table = Table::new([
        Column::name("call site", 0, 24),
        Column::name("called", 1, 8),
        Column::number("calls", 2),
        Column::name("share", 0, 14),
    ]);
    for site in greatest {
        table.push([
            Cell::new(site.place),
            Cell::new(site.called),
            Cell::new(site.count),
            Cell::new(site.share),
        ]);
    }
    look.table(table)
}

fn row(name: &str, function: &Function) -> [Cell; 6] {
    let latency = |ns: Option<u64>| Cell::new(ns.map_or(units::NONE.to_owned(), units::time));
    let timed = function.latency.as_ref();
    [
        Cell::new(name),
        Cell::new(units::count(function.calls)),
        latency(timed.and_then(|latency| latency.of_histogram(|of| of.p50_ns))),
        latency(timed.and_then(|latency| latency.of_histogram(|of| of.p99_ns))),
        latency(timed.map(|latency| latency.max_ns)),
        Cell::new(Time::of(function).map_or(units::NONE.to_owned(), |time| time.to_string())),
    ]
}

#[cfg(test)]
mod tests;
