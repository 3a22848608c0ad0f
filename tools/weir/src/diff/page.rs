//! What differs, for people.

use serde::Serialize;

use super::compare::{Change, Comparison, ERROR_RATE};
use super::number::Range;
use super::numbers::Section;
use super::remarks::remarks;
use super::{Run, Sides};
use crate::report::ending;
use crate::report::page::{Cell, Column, Page, Table};
use crate::text;
use crate::units::{self, Unit};

/// How to show it.
pub struct Options {
    pub width: usize,
    pub coloured: bool,
    /// How many functions, files, … of a section.
    pub top: usize,
}

/// What each section is called, what the things in it are, and what its first column is.
pub const SECTIONS: [(Section, &str, [&str; 2], Column); 5] = [
    (
        Section::Functions,
        "Functions",
        ["function", "functions"],
        Column::name("function", 0, 8),
    ),
    (
        Section::Latency,
        "Latency",
        ["function", "functions"],
        Column::name("function", 0, 8),
    ),
    (
        Section::Files,
        "Files and sockets",
        ["file or socket", "files and sockets"],
        Column::path("name", 0, 8),
    ),
    (
        Section::Sites,
        "Call sites",
        ["call site", "call sites"],
        Column::name("call site", 0, 8),
    ),
    (
        Section::Programs,
        "Programs",
        ["program", "programs"],
        Column::path("program", 0, 8),
    ),
];

/// How many reports of a side are named.
const NAMED: usize = 4;

/// A page of so many columns.
pub fn text(sides: &Sides, comparison: &Comparison, options: &Options) -> String {
    let mut page = Page::new(options.width, options.coloured);
    page.heading("Difference", "");
    let [before, after] = sides.both().map(|(name, runs)| (name, described(runs)));
    page.pairs(&[before, after, ("differ", outcome(comparison))]);

    page.heading("Time", "");
    let times: Vec<&Change> = comparison.times.iter().collect();
    page.table(table(None, &times, options.top));
    page.remark(&of_times(comparison));

    if !comparison.usage.is_empty() {
        page.heading("Machine", USAGE);
        let usage: Vec<&Change> = comparison.usage.iter().collect();
        page.table(table(None, &usage, usize::MAX));
        page.remark(&of_usage(comparison));
    }
    let whole: Vec<&Change> = comparison.of(Section::Whole).collect();
    if !whole.is_empty() {
        page.heading("In all", "");
        page.table(table(None, &whole, usize::MAX));
        if comparison.has_processes {
            page.remark(PEAKS);
        }
    }
    for (section, title, [one, many], column) in SECTIONS {
        let changes: Vec<&Change> = comparison.of(section).collect();
        if changes.is_empty() {
            continue;
        }
        let changed = comparison.changed(section);
        page.heading(title, &parts(comparison, section, [one, many]));
        page.table(table(Some(column), &changes, options.top));
        if changed > options.top {
            let more = text::counted((changed - options.top) as u64, one, many);
            page.remark(&format!("and {more} more; --top N shows more"));
        }
        if section == Section::Latency && !comparison.can_compare_times() {
            page.remark(LATENCY);
        }
    }
    let remarks = remarks(sides, comparison);
    if !remarks.is_empty() {
        page.heading("To keep in mind", "");
        page.sentences(&remarks);
    }
    page.into_text()
}

/// What the table of the machine has.
pub const USAGE: &str = "what the processes took of it";

pub const PEAKS: &str = "peaks are added up, and what a process inherited counts for it, too";

/// `3 of 25 functions differ`
pub fn parts(comparison: &Comparison, section: Section, [one, many]: [&str; 2]) -> String {
    let changed = comparison.changed(section);
    let compared = comparison.compared.get(&section).copied().unwrap_or(0);
    format!(
        "{changed} of {} {}",
        text::counted(compared as u64, one, many),
        if changed == 1 { "differs" } else { "differ" }
    )
}

pub const LATENCY: &str = "Listed is what chance among the calls of a run does not explain; in 1 of 100 pages it does. Runs \
    differ by more than that: by what the machine does meanwhile. Several reports of each side show it.";
const _: () = assert!(ERROR_RATE == 0.01);

/// What differs, in a few words.
pub fn outcome(comparison: &Comparison) -> String {
    let whole = [
        (Section::Time, ["time", "times"]),
        (
            Section::Usage,
            ["number of the machine", "numbers of the machine"],
        ),
        (Section::Whole, ["total", "totals"]),
    ];
    let whole = whole.into_iter().filter_map(|(section, [one, many])| {
        let changed = comparison.of(section).count() as u64;
        (changed > 0).then(|| text::counted(changed, one, many))
    });
    let others = SECTIONS.iter().filter_map(|&(section, _, [one, many], _)| {
        let changed = comparison.changed(section) as u64;
        let counted = text::counted(changed, one, many);
        (changed > 0).then(|| match section {
            Section::Latency => format!("the latency of {counted}"),
            _ => counted,
        })
    });
    let counted: Vec<String> = whole.chain(others).collect();
    match counted.is_empty() {
        true => "nothing that was compared".to_owned(),
        false => text::list(&counted),
    }
}

/// What is to be said of times.
pub fn of_times(comparison: &Comparison) -> String {
    const MOST: f64 = 1e6;
    if comparison.runs == (1, 1) {
        return TIMES.to_owned();
    }
    let one_in = match comparison.one_in() {
        many if many > MOST => format!("more than {}", units::count(MOST as u64)),
        few => units::count(few.round() as u64),
    };
    let differ = labels(comparison, Section::Time);
    let times = match (comparison.can_compare_times(), differ.is_empty()) {
        (false, _) => TOO_FEW_RUNS.to_owned(),
        (true, true) => "None of these times differs.".to_owned(),
        (true, false) => format!("Of these times differ: {}.", text::list(&differ)),
    };
    format!(
        "{times} What differs has more in all runs of a side than in all of the other. Of numbers that vary from run to run, \
         chance does that to 1 in {one_in}; {} numbers were compared.",
        units::count(comparison.numbers as u64)
    )
}

/// What is to be said of what processes took of the machine.
pub fn of_usage(comparison: &Comparison) -> String {
    let differ = labels(comparison, Section::Usage);
    let when = match (comparison.can_compare_times(), differ.is_empty()) {
        (false, _) => "5 runs of each side are needed to decide whether they differ".to_owned(),
        (true, true) => "none of them differs".to_owned(),
        (true, false) => format!("of them differ: {}", text::list(&differ)),
    };
    format!(
        "Read while the processes ran: the least that they took. These numbers vary from run to run; {when}."
    )
}

fn labels(comparison: &Comparison, section: Section) -> Vec<String> {
    let changes = comparison.of(section);
    changes.map(|change| label(&change.key.metric)).collect()
}

const TIMES: &str = "Times vary from run to run; several reports of each side show by how much.";
const TOO_FEW_RUNS: &str = "5 runs of each side are needed to decide whether times differ.";

fn described(runs: &[Run]) -> String {
    let [run] = runs else {
        let files = runs.iter().map(|run| run.file.display().to_string());
        let mut files: Vec<String> = files.take(NAMED).collect();
        if runs.len() > NAMED {
            files.push(format!("{} more", runs.len() - NAMED));
        }
        let files = text::list(&files);
        return format!("{} runs: {}", runs.len(), text::printable(&files));
    };
    let report = &run.report;
    let file = run.file.display().to_string();
    format!(
        "{}: {}, {}, {}",
        text::printable(&file),
        text::cut(&text::command_line(&report.command), 60),
        units::moment(report.started_unix_ns),
        ending(&report.end)
    )
}

/// The rows of the first `top` functions, files, …, which the first column names; none where all rows are of one thing.
fn table(first: Option<Column>, changes: &[&Change], top: usize) -> Table {
    let numbers = [
        Column::name("", 0, 9),
        Column::number("before", 1),
        Column::number("after", 0),
        Column::number("by", 2),
        Column::number("", 0),
    ];
    let mut table = Table::new(Vec::from_iter(first.into_iter().chain(numbers)));
    let mut names = 0;
    let mut last = None;
    for change in changes {
        let name = (&change.key.name, &change.key.aside);
        let is_new = last != Some(name);
        last = Some(name);
        names += usize::from(is_new);
        if names > top {
            break;
        }
        let title = first.map(|_| match is_new {
            true => titled(change),
            false => String::new(),
        });
        let shown = Shown::of(change);
        let cells = [
            shown.number,
            shown.before,
            shown.after,
            shown.by,
            shown.proportion,
        ];
        let cells = title.into_iter().chain(cells).map(Cell::new);
        table.push(Vec::from_iter(cells));
    }
    table
}

/// A change as a page writes it.
#[derive(Debug, Serialize)]
pub struct Shown {
    /// What the number is called.
    pub number: String,
    pub before: String,
    pub after: String,
    pub by: String,
    /// `+10 %`, `× 4.2`, `new`, `gone`
    pub proportion: String,
}

impl Shown {
    pub fn of(change: &Change) -> Shown {
        let (before, after) = shown(change);
        Shown {
            number: label(&change.key.metric),
            before,
            after,
            by: signed(change.unit, change.by()),
            proportion: proportion(change),
        }
    }
}

/// What the number is of: the function, the file, ….
pub fn titled(change: &Change) -> String {
    match (&change.place, change.key.section) {
        (Some(place), _) => place.clone(),
        (None, Section::Files) if change.key.aside != "file" => {
            format!("{} ({})", change.key.name, change.key.aside)
        }
        _ => change.key.name.clone(),
    }
}

/// Both numbers; those that are not exact with a sign of it.
fn shown(change: &Change) -> (String, String) {
    if change.is_partial || change.key.section == Section::Time {
        let shown = |range| between(change.unit, range);
        return (shown(&change.before), shown(&change.after));
    }
    let (before, after) = change
        .unit
        .both_shown(change.before.value.into(), change.after.value.into());
    let is_read = change.key.section == Section::Usage;
    let marked = |range: &Range, text: String| match (is_read, range.high) {
        (true, i64::MAX) => format!("≥{text}"),
        (true, _) => format!("≈{text}"),
        (false, _) if range.is_exact() || change.unit == Unit::Time => text,
        (false, _) => format!("≈{text}"),
    };
    (marked(&change.before, before), marked(&change.after, after))
}

/// `328–539`, where no more is known.
fn between(unit: Unit, range: &Range) -> String {
    match (range.is_exact(), range.high) {
        (true, _) => unit.shown(range.value.into()),
        (false, i64::MAX) => format!("≥{}", unit.shown(range.low.into())),
        (false, high) => format!(
            "{}–{}",
            unit.shown(range.low.into()),
            unit.shown(high.into())
        ),
    }
}

fn signed(unit: Unit, by: i64) -> String {
    let sign = if by > 0 { "+" } else { "" };
    format!("{sign}{}", unit.shown(by.into()))
}

fn proportion(change: &Change) -> String {
    let (before, after) = change.values();
    match (before, after) {
        (before, after) if before == after => units::NONE.to_owned(),
        (0, _) => "new".to_owned(),
        (_, 0) => "gone".to_owned(),
        _ => {
            let ratio = after as f64 / before as f64;
            match ratio {
                ratio if ratio < 0.0 => units::NONE.to_owned(),
                ratio if ratio >= 99.95 => format!("× {}", units::count(ratio as u64)),
                ratio if ratio >= 3.0 => format!("× {ratio:.1}"),
                ratio => {
                    let percent = (ratio - 1.0) * 100.0;
                    match percent.abs() {
                        ..0.001 => "≈ 0 %".to_owned(),
                        ..0.1 => format!("{percent:+.3} %"),
                        _ => format!("{percent:+.1} %"),
                    }
                }
            }
        }
    }
}

/// A number, as the tables of a report call it.
fn label(metric: &str) -> String {
    let known = match metric {
        "requested_bytes" => "requested",
        "moved_bytes" => "moved",
        "read_bytes" => "read",
        "written_bytes" => "written",
        "mapped_bytes" => "mapped",
        "read_ns" => "read time",
        "write_ns" => "write time",
        "other_ns" => "other time",
        "leak_bytes" => "live at the end",
        "leak_blocks" => "blocks live at the end",
        "heap.peak_bytes" => "peak of the heap",
        "usage.resident_bytes" => "largest resident size",
        "usage.cpu_ns" => "CPU time",
        "usage.minor_faults" => "page faults without I/O",
        "usage.major_faults" => "page faults with I/O",
        other => other,
    };
    if let Some(activity) = known.strip_prefix("activities.") {
        return match activity.rsplit_once('.') {
            Some((activity, "calls")) => format!("calls: {}", activity.replace('_', " ")),
            Some((activity, _)) => activity.replace('_', " "),
            None => activity.to_owned(),
        };
    }
    let parts = ["errors_by_errno.", "latency."];
    let short = parts.iter().find_map(|part| known.strip_prefix(part));
    short.unwrap_or(known).replace('_', " ")
}
