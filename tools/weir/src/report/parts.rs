//! Calls that were made in two parts: how long they waited, and how long the transfer took.

use std::cmp::Reverse;

use weir_report::model::{FileUse, Latency, Spread};

use super::files;
use super::page::{Cell, Column, Page, Table};
use super::subject::Subject;
use crate::units;

/// How many files and sockets are shown: those that were waited for longest.
const SHOWN: usize = 12;

pub fn show(page: &mut Page, subject: &Subject<'_>) {
    let mut functions: Vec<_> = subject
        .functions
        .iter()
        .filter_map(|(name, function)| Some((name, function, function.parts.as_ref()?)))
        .collect();
    if functions.is_empty() {
        return;
    }
    functions.sort_by_key(|(.., parts)| Reverse((parts.wait.total_ns, parts.transfer.total_ns)));
    page.heading(
        "Waits and transfers",
        "of the calls that were measured in two parts, longest waits first",
    );
    let mut table = Table::new([
        Column::name("function", 0, 10),
        Column::number("in parts", 4),
        Column::number("waited", 3),
        Column::number("wait p50", 2),
        Column::number("wait p99", 1),
        Column::number("wait max", 5),
        Column::number("wait", 0),
        Column::number("transfer p50", 6),
        Column::number("transfer p99", 7),
        Column::number("transfer", 0),
    ]);
    for (name, function, parts) in functions {
        let calls = match parts.calls {
            all if all >= function.calls => "all".to_owned(),
            some => units::count(some),
        };
        let time = |of: fn(&Latency) -> u64, latency| Cell::new(units::time(of(latency)));
        let percentile = |of: fn(&Latency) -> u64, latency: &Latency| {
            let ns = latency.of_histogram(of);
            Cell::new(ns.map_or(units::NONE.to_owned(), units::time))
        };
        table.push([
            Cell::new(name),
            Cell::new(calls),
            Cell::new(units::count(parts.waits)),
            percentile(|of| of.p50_ns, &parts.wait),
            percentile(|of| of.p99_ns, &parts.wait),
            time(|of| of.max_ns, &parts.wait),
            time(|of| of.total_ns, &parts.wait),
            percentile(|of| of.p50_ns, &parts.transfer),
            percentile(|of| of.p99_ns, &parts.transfer),
            time(|of| of.total_ns, &parts.transfer),
        ]);
    }
    page.table(table);
    of_files(page, subject);
}

fn of_files(page: &mut Page, subject: &Subject<'_>) {
    let mut waited: Vec<(&FileUse, &Spread)> = subject
        .files
        .listed
        .iter()
        .filter_map(|file| Some((file, file.wait.as_ref()?)))
        .collect();
    if waited.is_empty() {
        return;
    }
    waited.sort_by_key(|(_, wait)| Reverse(wait.total_ns));
    page.heading("Waits by file or socket", "longest first");
    let mut table = Table::new([
        Column::path("name", 0, 22),
        Column::name("kind", 4, 10),
        Column::number("calls", 3),
        Column::number("wait p50", 2),
        Column::number("wait p99", 5),
        Column::number("wait max", 1),
        Column::number("wait", 0),
        Column::number("transfer p50", 6),
        Column::number("transfer", 0),
    ]);
    let median = |spread: &Spread| below(spread, 0.5);
    let high = |spread: &Spread| below(spread, 0.99);
    for (file, wait) in waited.iter().take(SHOWN) {
        let transfer = file.transfer.as_ref();
        let cell = |time: Option<u64>| Cell::new(time.map_or(units::NONE.into(), units::time));
        table.push([
            Cell::new(files::name(file)),
            Cell::new(&file.kind),
            Cell::new(units::count(wait.calls)),
            Cell::new(median(wait)),
            Cell::new(high(wait)),
            cell(Some(wait.max_ns)),
            cell(Some(wait.total_ns)),
            Cell::new(transfer.map_or(units::NONE.into(), median)),
            cell(transfer.map(|transfer| transfer.total_ns)),
        ]);
    }
    page.table(table);
    page.remark(
        "< upper bound of a class of the histogram; each class is twice as wide as the previous one",
    );
    if waited.len() > SHOWN {
        let more = units::count((waited.len() - SHOWN) as u64);
        page.remark(&format!("and {more} more, in the JSON"));
    }
}

/// Below which bound a share of the durations is.
fn below(spread: &Spread, share: f64) -> String {
    let rank = (spread.calls as f64 * share).ceil() as u64;
    let mut seen = 0_u64;
    for class in &spread.classes {
        seen = seen.saturating_add(class.calls);
        if seen >= rank {
            return match class.to_ns {
                u64::MAX => format!("≥ {}", units::time(class.from_ns)),
                to_ns => format!("< {}", units::time(to_ns.saturating_add(1))),
            };
        }
    }
    units::NONE.to_owned()
}

#[cfg(test)]
mod tests {
    use weir_report::model::SpreadClass;

    use super::*;

    #[test]
    fn a_share_is_below_the_bound_of_its_class() {
        let class = |from_ns, to_ns, calls| SpreadClass {
            from_ns,
            to_ns,
            calls,
        };
        let spread = Spread {
            calls: 10,
            total_ns: 0,
            max_ns: 0,
            classes: vec![class(0, 99, 5), class(100, 199, 4), class(200, u64::MAX, 1)],
        };
        assert_eq!(below(&spread, 0.5), "< 100 ns");
        assert_eq!(below(&spread, 0.6), "< 200 ns");
        assert_eq!(below(&spread, 0.99), "≥ 200 ns");
        assert_eq!(below(&Spread::default(), 0.5), units::NONE);
    }
}
