//! `weir report --function NAME`: all that a report has of one function.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use weir_record::functions::Function as Known;
use weir_report::Ordered;
use weir_report::model::{Function, Latency, LatencyFigure, Process, Thread, ThreadFunction};
use wildmatch::WildMatch;

use super::measure::{self, Time};
use super::page::{Cell, Column, Page, Table};
use super::sites::places::{Place, Places};
use super::subject::{self, Subject};
use super::{in_flight, looks, loss, sizes, slowest};
use crate::cli::Metric;
use crate::exit_code;
use crate::failure::Failure;
use crate::{text, units};

/// How many processes, threads and call sites are shown: of more, those with the most calls.
const SHOWN: usize = 10;

/// Shows the functions that were called and have such a name.
///
/// # Errors
/// There is none.
pub fn show(page: &mut Page, subject: &Subject<'_>, pattern: &str) -> Result<(), Failure> {
    let wanted = WildMatch::new(pattern);
    let called = measure::called(subject.functions, crate::cli::Sort::Calls);
    let of: Vec<_> = called
        .into_iter()
        .filter(|(name, _)| wanted.matches(name))
        .collect();
    if of.is_empty() {
        return Err(none(pattern));
    }
    let places = Places::of(subject.processes.iter().copied());
    for (name, function) in of {
        show_one(page, subject, &places, name, function);
    }
    Ok(())
}

fn none(pattern: &str) -> Failure {
    let message = match Known::from_name(pattern) {
        Some(_) => format!("{pattern} was not called"),
        None if pattern.contains(['*', '?']) => {
            format!("no function was called whose name is like '{pattern}'")
        }
        None => format!("Weir interposes no function '{pattern}'"),
    };
    Failure::new(exit_code::USAGE, message)
        .with_remedy("weir report without --function lists those that were called")
}

fn show_one(
    page: &mut Page,
    subject: &Subject<'_>,
    places: &Places<'_>,
    name: &str,
    function: &Function,
) {
    page.heading(
        &text::printable(name),
        &format!("family {}", text::printable(&function.family)),
    );
    page.pairs(&facts(function));
    if let Some(latency) = &function.latency {
        let timed = text::counted(
            latency.timed,
            "call that was timed",
            "calls that were timed",
        );
        let dropped = text::counted(latency.dropped, "is in no class", "are in no class");
        let aside = match (latency.timed < function.calls, latency.dropped) {
            (false, 0) => String::new(),
            (true, 0) => format!("of {timed}"),
            (_, _) => format!("of {timed}; {dropped}"),
        };
        histogram(page, "How long they took", &aside, latency);
    }
    if let Some(parts) = &function.parts {
        let of = |calls: u64| {
            format!(
                "{} of {} calls",
                units::count(calls),
                units::count(parts.calls)
            )
        };
        // Those that did not wait are in the first class.
        if parts.waits > 0 {
            let aside = format!("{} waited", of(parts.waits));
            histogram(page, "How long they waited", &aside, &parts.wait);
        }
        histogram(page, "How long they transferred", "", &parts.transfer);
    }
    if !function.size_classes.is_empty() {
        page.heading("Sizes that they asked for", "");
        sizes::chart(page, &function.size_classes);
    }
    show_sites(page, places, name, function);
    show_processes(page, subject, name);
    show_threads(page, subject, name);
    slowest::show_of(page, subject, name);
    in_flight::show_of(page, subject, Some(name));
}

fn facts(function: &Function) -> Vec<(&'static str, String)> {
    let mut facts = vec![("calls", units::count(function.calls))];
    if function.errors > 0 {
        let listed = function.errors_by_errno.values();
        let listed = listed.fold(0, |sum: u64, calls| sum.saturating_add(*calls));
        let others = function.errors.saturating_sub(listed);
        let others =
            (others > 0).then(|| format!("{} without one that is listed", units::count(others)));
        let errnos = function.errors_by_errno.iter();
        let errnos = errnos.map(|(errno, calls)| format!("{errno} {}", units::count(*calls)));
        let errnos: Vec<String> = errnos.chain(others).collect();
        let errors = units::count(function.errors);
        let errors = format!("{errors}, by errno: {}", errnos.join(", "));
        facts.push(("failed", text::printable(&errors).into_owned()));
    }
    if function.requested_bytes > 0 {
        facts.push(("asked for", units::bytes(function.requested_bytes)));
    }
    if function.moved_bytes > 0 {
        facts.push(("moved", units::bytes(function.moved_bytes)));
    }
    if function.reentrant > 0 {
        facts.push((
            "nested",
            format!("{} within other calls", units::count(function.reentrant)),
        ));
    }
    if let Some(latency) = &function.latency {
        facts.push(("time", measure::shown(Time::of(function))));
        let figures: [(&str, LatencyFigure); 5] = [
            ("min", |of| of.min_ns),
            ("p50", |of| of.p50_ns),
            ("p90", |of| of.p90_ns),
            ("p99", |of| of.p99_ns),
            ("p99.9", |of| of.p99_9_ns),
        ];
        let figures = figures.into_iter().filter_map(|(name, figure)| {
            let ns = latency.of_histogram(figure)?;
            Some(format!("{name} {}", units::time(ns)))
        });
        let mut figures: Vec<String> = figures.collect();
        figures.insert(
            figures.len().min(1),
            format!("mean {}", units::time(latency.mean_ns)),
        );
        figures.push(format!("max {}", units::time(latency.max_ns)));
        facts.push(("a call", figures.join(", ")));
    }
    if let Some(looks) = function.looks.as_ref().and_then(looks::in_full) {
        facts.push(("slow calls", looks));
    }
    facts
}

/// A bar for each class of times: 1 to 2, 2 to 5, 5 to 10 of each power of ten. Between the first and the last one none is left out.
fn histogram(page: &mut Page, heading: &str, aside: &str, latency: &Latency) {
    let Some(ordered) = Ordered::of(latency) else {
        return;
    };
    let bounds = bounds();
    let mut classes: BTreeMap<usize, u64> = BTreeMap::new();
    for (between, calls) in ordered.classes() {
        // The histogram's own classes are a 128th of their time wide: that of their middle will do.
        let middle = u64::midpoint(*between.start(), *between.end());
        let class = bounds.partition_point(|&bound| bound <= middle);
        let sum = classes.entry(class).or_default();
        *sum = sum.saturating_add(calls);
    }
    let (Some((&first, _)), Some((&last, _))) =
        (classes.first_key_value(), classes.last_key_value())
    else {
        return;
    };
    let rows: Vec<(String, u64)> = (first..=last)
        .map(|class| {
            let from = class.checked_sub(1).map_or(0, |below| bounds[below]);
            let label = match bounds.get(class) {
                Some(&to) => format!("{}–{}", short(from), short(to)),
                None => format!("from {}", short(from)),
            };
            (label, classes.get(&class).copied().unwrap_or(0))
        })
        .collect();
    let most = classes.values().copied().max().unwrap_or(0);
    page.heading(heading, aside);
    page.bars(&rows, most);
}

/// From 10 ns to 1,000 s.
fn bounds() -> Vec<u64> {
    let powers = (1..12).map(|power| 10_u64.pow(power));
    powers
        .flat_map(|power| [power, 2 * power, 5 * power])
        .collect()
}

/// `20 µs` for 20.0 µs.
fn short(ns: u64) -> String {
    units::time(ns)
        .replacen(".00 ", " ", 1)
        .replacen(".0 ", " ", 1)
}

fn show_sites(page: &mut Page, places: &Places<'_>, name: &str, function: &Function) {
    let sums = |metric| places.lines(metric, name).unwrap_or_default();
    let calls = sums(Metric::Calls);
    let others: Vec<(&'static str, Metric)> = [
        ("asked for", Metric::Bytes, function.family == "alloc"),
        ("moved", Metric::Moved, function.moved_bytes > 0),
        ("time", Metric::Time, function.family != "alloc"),
    ]
    .into_iter()
    .filter_map(|(title, metric, is_wanted)| is_wanted.then_some((title, metric)))
    .collect();
    if calls.is_empty() {
        return;
    }
    let columns = [Column::name("call site", 0, 20), Column::number("calls", 0)];
    let columns = columns
        .into_iter()
        .chain(others.iter().map(|(title, _)| Column::number(title, 1)));
    let mut table = Table::new(Vec::from_iter(columns));
    let sites = places.sites();
    let is_sampled = sites.is_some_and(|sites| sites.stacks.sampled_bytes.is_some());
    let is_estimate = is_sampled && loss::is_of_heap(name);
    let shown = |text: String| match is_estimate {
        true => format!("≈{text}"),
        false => text,
    };
    let of_others: Vec<Vec<Place>> = others.iter().map(|&(_, metric)| sums(metric)).collect();
    for site in calls.iter().take(SHOWN) {
        let mut row = vec![
            Cell::new(&site.place),
            Cell::new(shown(units::count(site.sum))),
        ];
        for (sums, (_, metric)) in of_others.iter().zip(&others) {
            let sum = sums.iter().find(|other| other.key == site.key);
            row.push(Cell::new(sum.map_or(units::NONE.to_owned(), |of| {
                shown(metric.shown(of.sum))
            })));
        }
        table.push(row);
    }
    let aside = match (is_estimate, is_sampled) {
        (true, _) => "estimates from samples",
        (false, true) => "calls before the first sample have no stack",
        (false, false) => "",
    };
    page.heading("Call sites", aside);
    page.table(table);
    more(page, calls.len(), "call site", "call sites");
    let listed = calls
        .iter()
        .fold(0, |sum: u64, site| sum.saturating_add(site.sum));
    if !is_estimate && listed < function.calls {
        let others = text::counted(function.calls - listed, "call has", "calls have");
        page.remark(&format!(
            "{others} no call site: before the first sample, or in processes without call stacks"
        ));
    }
}

fn more(page: &mut Page, all: usize, one: &str, many: &str) {
    if all > SHOWN {
        page.remark(&format!(
            "and {} more",
            text::counted((all - SHOWN) as u64, one, many)
        ));
    }
}

fn show_processes(page: &mut Page, subject: &Subject<'_>, name: &str) {
    if !subject.has_many_processes() {
        return;
    }
    let with_it = subject
        .processes
        .iter()
        .filter_map(|of| Some((of, of.functions.get(name)?)));
    let mut rows: Vec<(&&Process, &Function)> =
        with_it.filter(|(_, function)| function.calls > 0).collect();
    rows.sort_by_key(|(_, function)| Reverse(function.calls));
    let mut table = Table::new([
        Column::number("pid", 1),
        Column::name("program", 0, 12),
        Column::number("calls", 0),
        Column::number("failed", 2),
        Column::number("bytes", 1),
        Column::number("p50", 2),
        Column::number("p99", 2),
        Column::number("time", 0),
    ]);
    for (process, function) in rows.iter().take(SHOWN) {
        let latency = function.latency.as_ref();
        let time = |of: fn(&Latency) -> u64| {
            let ns = latency.and_then(|latency| latency.of_histogram(of));
            ns.map_or(units::NONE.to_owned(), units::time)
        };
        table.push([
            Cell::new(match process.folded {
                None => process.pid.to_string(),
                Some(_) => units::NONE.to_owned(),
            }),
            Cell::new(match process.stands_for() {
                1 => subject::name(process).to_owned(),
                many => {
                    let program = subject::name(process);
                    format!("{program} ({} together)", units::count(many))
                }
            }),
            Cell::new(units::count(function.calls)),
            Cell::new(units::count(function.errors)),
            Cell::new(units::bytes(measure::bytes(function))),
            Cell::new(time(|latency| latency.p50_ns)),
            Cell::new(time(|latency| latency.p99_ns)),
            Cell::new(measure::shown(Time::of(function))),
        ]);
    }
    page.heading("Processes", "by calls");
    page.table(table);
    more(page, rows.len(), "process", "processes");
}

fn show_threads(page: &mut Page, subject: &Subject<'_>, name: &str) {
    let threads = subject.processes.iter().flat_map(|process| {
        let threads = process.threads.iter();
        threads.filter_map(|thread| Some((process.pid, thread, thread.functions.get(name)?)))
    });
    let mut rows: Vec<(u32, &Thread, &ThreadFunction)> =
        threads.filter(|(.., of)| of.calls > 0).collect();
    if rows.len() < 2 {
        return;
    }
    rows.sort_by_key(|(.., of)| Reverse(of.calls));
    let mut table = Table::new([
        Column::number("pid", 3),
        Column::number("tid", 1),
        Column::name("name", 0, 8),
        Column::number("calls", 0),
        Column::number("failed", 2),
        Column::number("asked for", 2),
        Column::number("moved", 2),
        Column::number("time of those timed", 0),
    ]);
    for (pid, thread, of) in rows.iter().take(SHOWN) {
        table.push([
            Cell::new(pid.to_string()),
            Cell::new(match thread.tid {
                0 => units::NONE.to_owned(),
                tid => tid.to_string(),
            }),
            Cell::new(&thread.name),
            Cell::new(units::count(of.calls)),
            Cell::new(units::count(of.errors)),
            Cell::new(units::bytes(of.requested_bytes)),
            Cell::new(units::bytes(of.moved_bytes)),
            Cell::new(match of.timed {
                0 => units::NONE.to_owned(),
                _ => units::time(of.total_ns),
            }),
        ]);
    }
    page.heading("Threads", "by calls");
    page.table(table);
    more(page, rows.len(), "thread", "threads");
    if rows.iter().any(|(_, thread, _)| thread.threads > 1) {
        page.remark("a row can be of several threads; tid and name are those of the latest");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn page(
        report: &weir_report::model::Report,
        pattern: &str,
        width: usize,
    ) -> Result<String, String> {
        let mut page = Page::new(width, false);
        show(&mut page, &Subject::whole(report), pattern)
            .map_err(|failure| failure.in_one_line())?;
        Ok(page.into_text())
    }

    #[test]
    fn a_function_in_detail_fits_narrow_and_wide_terminals() {
        for width in [60, 80, 120, 200] {
            let page = page(&sample::report(), "read", width).expect("a page");
            for line in page.lines() {
                assert!(text::width(line) <= width, "{width}: {line}");
            }
            insta::assert_snapshot!(format!("read_{width}"), page);
        }
    }

    #[test]
    fn a_pattern_shows_each_function_that_was_called() {
        let page = page(&sample::report(), "*alloc", 80).expect("a page");
        let headings: Vec<&str> = page
            .lines()
            .filter(|line| line.contains("family alloc"))
            .collect();
        assert_eq!(headings.len(), 3, "{page}");
    }

    #[test]
    fn what_was_not_called_is_said() {
        let refused = |pattern| page(&sample::report(), pattern, 80).expect_err(pattern);
        assert!(refused("preadv2").starts_with("preadv2 was not called; "));
        assert!(refused("prea").starts_with("Weir interposes no function 'prea'; "));
        assert!(refused("zz*").starts_with("no function was called whose name is like 'zz*'; "));
    }

    #[test]
    fn bounds_of_times_are_round_and_in_order() {
        let bounds = bounds();
        assert!(bounds.is_sorted());
        let shown: Vec<String> = bounds.iter().map(|&bound| short(bound)).collect();
        assert_eq!(shown[..5], ["10 ns", "20 ns", "50 ns", "100 ns", "200 ns"]);
        assert_eq!(short(1_000_000_000), "1 s");
        assert_eq!(short(20_000), "20 µs");
    }
}
