//! The table of functions: what was called, how often, and how long it took.

use weir_report::model::{Function, Latency};

use super::measure::{self, Time};
use super::page::{Cell, Column, Page, Table};
use super::subject::Subject;
use crate::cli::Sort;
use crate::{text, units};

pub fn show(page: &mut Page, subject: &Subject<'_>, sort: Sort) {
    let called = measure::called(subject.functions, sort);
    page.heading("Functions", measure::order(sort));
    if called.is_empty() {
        page.line("none of the functions that Weir interposes was called");
        return;
    }
    let mut table = Table::new([
        Column::name("function", 0, 12),
        Column::number("calls", 0),
        Column::number("timed", 9),
        Column::number("errors", 5),
        Column::number("bytes", 3),
        Column::number("mean", 6),
        Column::number("p50", 2),
        Column::number("p90", 7),
        Column::number("p99", 1),
        Column::number("p99.9", 8),
        Column::number("max", 4),
        Column::number("total", 0),
    ]);
    for (name, function) in &called {
        table.push(row(name, function));
    }
    page.table(table);
    for remark in remarks(&called, subject.functions.len()) {
        page.remark(&remark);
    }
}

fn row(name: &str, function: &Function) -> [Cell; 12] {
    let latency = |value: fn(&Latency) -> u64| {
        Cell::new(
            function
                .latency
                .as_ref()
                .map_or(units::NONE.into(), |it| units::time(value(it))),
        )
    };
    [
        Cell::new(name),
        Cell::new(units::count(function.calls)),
        timed(function),
        errors(function.errors),
        bytes(function),
        latency(|it| it.mean_ns),
        latency(|it| it.p50_ns),
        latency(|it| it.p90_ns),
        latency(|it| it.p99_ns),
        latency(|it| it.p99_9_ns),
        latency(|it| it.max_ns),
        Cell::new(Time::of(function).map_or(units::NONE.into(), |time| time.to_string())),
    ]
}

/// How many of the calls the latencies are of.
fn timed(function: &Function) -> Cell {
    match function.latency.as_ref().map_or(0, |latency| latency.timed) {
        0 => Cell::new(units::NONE),
        timed if timed >= function.calls => Cell::new("all"),
        timed => Cell::new(units::count(timed)),
    }
}

fn errors(errors: u64) -> Cell {
    match errors {
        0 => Cell::new(units::NONE),
        _ => Cell::alarming(units::count(errors)),
    }
}

fn bytes(function: &Function) -> Cell {
    match measure::bytes(function) {
        0 => Cell::new(units::NONE),
        bytes => Cell::new(units::bytes(bytes)),
    }
}

fn remarks(called: &[(&str, &Function)], known: usize) -> Vec<String> {
    let mut remarks = Vec::new();
    let is_estimate = |function: &Function| Time::of(function).is_some_and(|time| !time.is_exact);
    if called.iter().any(|(_, function)| is_estimate(function)) {
        remarks.push("≈ the mean of the calls that were timed, times all calls".to_owned());
    }
    if known > called.len() {
        let never = (known - called.len()) as u64;
        remarks.push(format!(
            "{} never called",
            text::counted(never, "other function was", "other functions were")
        ));
    }
    remarks
}
