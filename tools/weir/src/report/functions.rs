//! The tables of functions: what was called, how often, and how long it took. Functions that wait, and those of
//! stdio, have their own tables: waits would hide the rest, and a sum with stdio would count the same bytes twice.

use weir_record::functions::{Family, Function as Known};
use weir_report::model::{Function, Latency};

use super::measure::{self, Part, Time};
use super::page::{Cell, Column, Page, Table};
use super::subject::Subject;
use crate::cli::Sort;
use crate::{text, units};

const SAME: &str = "the same I/O as that of the functions of stdio: do not add them up";

pub fn show(page: &mut Page, subject: &Subject<'_>, sort: Sort) {
    let called = measure::called(subject.functions, sort);
    let order = measure::order(sort);
    if called.is_empty() {
        page.heading("Functions", order);
        page.line("none of the functions that Weir interposes was called");
        return;
    }
    let of = |part| -> Vec<(&str, &Function)> {
        let of_part = called
            .iter()
            .filter(|(name, function)| Part::of(name, &function.family) == part);
        of_part.copied().collect()
    };
    if section(page, &of(Part::Plain), "Functions", order) {
        let is_called = |name: &str| subject.functions.get(name).is_some_and(|of| of.calls > 0);
        // A lock that is always free has no calls in the report.
        let never = Known::ALL
            .iter()
            .filter(|known| known.row().family != Family::Lock && !is_called(known.name()));
        let never = never.count() as u64;
        if never > 0 {
            let never = text::counted(never, "function was", "functions were");
            page.remark(&format!("{never} never called"));
        }
    }
    let aside = format!("that the program calls, {order}");
    section(page, &of(Part::Stdio), "Functions of stdio", &aside);
    let aside = format!("when a buffer is full or empty, {order}");
    if section(
        page,
        &of(Part::StdioSystem),
        "System calls of stdio",
        &aside,
    ) {
        page.remark(SAME);
    }
    section(page, &of(Part::Wait), "Functions that wait", order);
}

/// A table of these functions; false where there are none to show.
fn section(page: &mut Page, functions: &[(&str, &Function)], heading: &str, aside: &str) -> bool {
    if functions.is_empty() {
        return false;
    }
    page.heading(heading, aside);
    let mut table = Table::new([
        Column::name("function", 0, 15),
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
    for (name, function) in functions {
        table.push(row(name, function));
    }
    page.table(table.without_empty_columns());
    let is_estimate = |function: &Function| Time::of(function).is_some_and(|time| !time.is_exact);
    if functions.iter().any(|(_, function)| is_estimate(function)) {
        page.remark("≈ estimate: mean of the timed calls × all calls; ± 95 % confidence interval");
    }
    true
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
    let percentile = |figure: fn(&Latency) -> u64| {
        let latency = function.latency.as_ref();
        let ns = latency.and_then(|latency| latency.of_histogram(figure));
        Cell::new(ns.map_or(units::NONE.into(), units::time))
    };
    [
        Cell::new(name),
        Cell::new(units::count(function.calls)),
        timed(function),
        errors(function.errors),
        bytes(function),
        latency(|it| it.mean_ns),
        percentile(|it| it.p50_ns),
        percentile(|it| it.p90_ns),
        percentile(|it| it.p99_ns),
        percentile(|it| it.p99_9_ns),
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
