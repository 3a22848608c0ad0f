//! Files and sockets.

use std::borrow::Cow;
use std::cmp::Reverse;

use weir_report::model::{FileUse, Files};

use super::measure;
use super::page::{Cell, Column, Page, Table};
use super::subject::Subject;
use crate::cli::Sort;
use crate::{text, units};

/// How many are shown: of more, those that come first in the order.
const SHOWN: usize = 30;

pub fn show(page: &mut Page, subject: &Subject<'_>, sort: Sort) {
    let files = subject.files;
    let others = in_words(&files.others);
    if files.listed.is_empty() && others.is_none() && files.folded == 0 {
        return;
    }
    page.heading("Files and sockets", measure::order(sort));
    let listed = in_order(files, sort);
    if !listed.is_empty() {
        page.table(table(&listed[..listed.len().min(SHOWN)]));
    }
    if listed.len() > SHOWN {
        let mut sum = FileUse::default();
        for file in &listed[SHOWN..] {
            sum.add(file);
        }
        let more = units::count((listed.len() - SHOWN) as u64);
        let sum = in_words(&sum).unwrap_or_else(|| "never used".to_owned());
        page.remark(&format!("and {more} more, in the JSON: {sum}"));
    }
    if let Some(others) = others {
        let of = match files.folded {
            0 => "descriptors of which nothing is known".to_owned(),
            folded => format!(
                "{}, and descriptors of which nothing is known",
                text::counted(
                    folded,
                    "file or socket that is not listed",
                    "files and sockets that are not listed"
                )
            ),
        };
        page.remark(&format!("others ({of}): {others}"));
    } else if files.folded > 0 {
        let folded = text::counted(
            files.folded,
            "other file or socket is",
            "other files and sockets are",
        );
        page.remark(&format!("{folded} not listed and had no calls"));
    }
}

/// The files and sockets that are listed, the greatest first.
pub fn in_order(files: &Files, sort: Sort) -> Vec<&FileUse> {
    let mut listed: Vec<&FileUse> = files.listed.iter().collect();
    // Stable: equal ones stay as the report has them.
    listed.sort_by_key(|file| {
        Reverse(match sort {
            Sort::Time => (file.total_ns(), file.bytes()),
            Sort::Calls => (file.calls(), file.total_ns()),
            Sort::Bytes => (file.bytes(), file.total_ns()),
        })
    });
    listed
}

/// The name, or what stands for one.
pub fn name(file: &FileUse) -> &str {
    match file.name.as_str() {
        "" => "(no name)",
        name => name,
    }
}

/// The same, short enough for a sentence.
pub fn short_name(file: &FileUse) -> Cow<'_, str> {
    /// The columns that it may have.
    const LONGEST: usize = 48;
    text::cut_front(name(file), LONGEST)
}

/// The time, where any was taken.
pub fn time(file: &FileUse) -> String {
    match file.total_ns() {
        0 => units::NONE.to_owned(),
        ns => units::time(ns),
    }
}

/// Bytes that calls moved, where there was any call.
pub fn moved(bytes: u64, calls: u64) -> String {
    match calls {
        0 => units::NONE.to_owned(),
        _ => units::bytes(bytes),
    }
}

fn table(files: &[&FileUse]) -> Table {
    let mut table = Table::new([
        Column::path("name", 0, 22),
        Column::name("kind", 2, 10),
        Column::number("opens", 9),
        Column::number("reads", 5),
        Column::number("writes", 6),
        Column::number("read", 3),
        Column::number("written", 4),
        Column::number("mapped", 4),
        Column::number("errors", 8),
        Column::number("time", 0),
        Column::number("sequential", 7),
        Column::number("switches", 10),
        Column::name("slowest call", 11, 16),
    ]);
    for file in files {
        let placed = file.sequential.saturating_add(file.random);
        let errors = match file.errors {
            0 => Cell::new(units::NONE),
            errors => Cell::alarming(units::count(errors)),
        };
        let slowest = file
            .slowest
            .as_ref()
            .map_or(units::NONE.to_owned(), |slowest| {
                format!("{} {}", units::time(slowest.took_ns), slowest.function)
            });
        table.push([
            Cell::new(name(file)),
            Cell::new(&file.kind),
            Cell::new(count(file.opens)),
            Cell::new(count(file.reads)),
            Cell::new(count(file.writes)),
            Cell::new(moved(file.read_bytes, file.reads)),
            Cell::new(moved(file.written_bytes, file.writes)),
            Cell::new(moved(file.mapped_bytes, file.mapped_bytes)),
            errors,
            Cell::new(time(file)),
            Cell::new(units::share(file.sequential, placed)),
            Cell::new(count(file.switches)),
            Cell::new(slowest),
        ]);
    }
    table.without_empty_columns()
}

fn count(number: u64) -> String {
    match number {
        0 => units::NONE.to_owned(),
        _ => units::count(number),
    }
}

/// Sums in words; none if there is nothing to report.
fn in_words(sum: &FileUse) -> Option<String> {
    let mut words = Vec::new();
    if sum.opens > 0 {
        words.push(text::counted(sum.opens, "open", "opens"));
    }
    if sum.calls() > 0 {
        words.push(text::counted(sum.calls(), "call", "calls"));
    }
    if sum.read_bytes > 0 {
        words.push(format!("{} read", units::bytes(sum.read_bytes)));
    }
    if sum.written_bytes > 0 {
        words.push(format!("{} written", units::bytes(sum.written_bytes)));
    }
    if sum.mapped_bytes > 0 {
        words.push(format!("{} mapped", units::bytes(sum.mapped_bytes)));
    }
    if sum.errors > 0 {
        words.push(text::counted(sum.errors, "error", "errors"));
    }
    if sum.total_ns() > 0 {
        words.push(units::time(sum.total_ns()));
    }
    (!words.is_empty()).then(|| words.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, read_bytes: u64, read_ns: u64) -> FileUse {
        FileUse {
            kind: "file".to_owned(),
            name: name.to_owned(),
            opens: 1,
            reads: 1,
            read_bytes,
            read_ns,
            ..FileUse::default()
        }
    }

    #[test]
    fn the_order_is_the_one_asked_for() {
        let busy = FileUse {
            writes: 9,
            ..file("/busy", 1, 1)
        };
        let files = Files {
            listed: vec![file("/slow", 2, 50), file("/large", 100, 5), busy],
            ..Files::default()
        };
        let first = |sort| in_order(&files, sort)[0].name.clone();
        assert_eq!(first(Sort::Time), "/slow");
        assert_eq!(first(Sort::Bytes), "/large");
        assert_eq!(first(Sort::Calls), "/busy");
    }

    #[test]
    fn sums_are_reported_without_what_is_none() {
        assert_eq!(in_words(&FileUse::default()), None);
        assert_eq!(
            in_words(&file("/a", 2048, 1500)).as_deref(),
            Some("1 open, 1 call, 2.00 KiB read, 1.50 µs")
        );
    }
}
