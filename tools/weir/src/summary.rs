//! What `weir run` says at the end: a screenful's half, on standard error.

use std::io::{self, Write};
use std::path::Path;

use weir_report::model::{Function, Report};

use crate::cli::Sort;
use crate::report::measure::{self, Time, Totals};
use crate::report::page::{Cell, Column, Table};
use crate::report::{ending, shortcomings};
use crate::{text, units};

/// How many functions are shown.
const FUNCTIONS: usize = 5;
/// How many shortcomings are told; the report tells all.
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
    for line in lines(report, json_path, sort) {
        writeln!(out, "weir: {line}")?;
    }
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

    let processes = match report.processes.len() {
        1 => String::new(),
        many => format!(" in {}", text::counted(many as u64, "process", "processes")),
    };
    let failed = match totals.errors {
        0 => "none failed".to_owned(),
        errors => format!("{} failed", units::count(errors)),
    };
    lines.push(format!(
        "calls  {}{processes}, {failed}",
        units::count(totals.calls)
    ));
    lines.push(format!(
        "heap   {} asked for, peak {}, {} live at the end in {} {}",
        units::bytes(totals.allocated_bytes),
        units::bytes(heap.peak_bytes),
        units::signed_bytes(heap.live_bytes),
        units::signed_count(heap.live_blocks),
        if heap.live_blocks == 1 {
            "block"
        } else {
            "blocks"
        },
    ));
    lines.push(format!(
        "I/O    {} read, {} written",
        units::bytes(totals.read_bytes),
        units::bytes(totals.written_bytes),
    ));
    lines.extend(functions(report, sort));

    let shortcomings = shortcomings(&report.missed);
    for shortcoming in shortcomings.iter().take(SHORTCOMINGS) {
        lines.push(format!("missed: {}", text::printable(shortcoming)));
    }
    if shortcomings.len() > SHORTCOMINGS {
        lines.push(format!(
            "missed: {} more, in the report",
            shortcomings.len() - SHORTCOMINGS
        ));
    }
    let path = json_path.to_string_lossy().into_owned();
    lines.push(format!(
        "report in {0} (weir report {0})",
        text::command_line(&[path])
    ));
    lines
}

/// The functions at the head of the order, under their titles.
fn functions(report: &Report, sort: Sort) -> Vec<String> {
    let called = measure::called(&report.functions, sort);
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
