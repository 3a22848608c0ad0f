//! The slowest calls.

use weir_report::model::SlowCall;

use super::page::{Cell, Column, Page, Table};
use super::subject::Subject;
use crate::{text, units};

/// How many are shown.
const SHOWN: usize = 10;

pub fn show(page: &mut Page, subject: &Subject<'_>) {
    if subject.slowest.is_empty() {
        return;
    }
    page.heading("Slowest calls", "of those that were timed");
    let mut columns = vec![
        Column::number("took", 0),
        Column::name("function", 0, 12),
        Column::number("at", 1),
        Column::number("size", 3),
        Column::number("fd", 4),
        Column::number("tid", 5),
        Column::name("thread", 2, 8),
    ];
    let has_pid = subject.has_many_processes();
    if has_pid {
        columns.insert(5, Column::number("pid", 2));
    }
    let mut table = Table::new(columns);
    for call in subject.slowest.iter().take(SHOWN) {
        let size = call.size_bytes.map_or(units::NONE.to_owned(), units::bytes);
        let fd = call.fd.map_or(units::NONE.to_owned(), |fd| fd.to_string());
        let mut row = vec![
            Cell::new(units::time(call.took_ns)),
            Cell::new(&call.function),
            Cell::new(format!("+{}", units::time(call.at_ns))),
            Cell::new(size),
            Cell::new(fd),
            Cell::new(call.tid.to_string()),
            Cell::new(thread_name(subject, call)),
        ];
        if has_pid {
            row.insert(5, Cell::new(call.pid.to_string()));
        }
        table.push(row);
    }
    page.table(table);
    if subject.slowest.len() > SHOWN {
        let more = (subject.slowest.len() - SHOWN) as u64;
        page.remark(&format!(
            "{} in the JSON",
            text::counted(more, "more is", "more are")
        ));
    }
}

/// The thread's name, where its entry is still that thread's.
fn thread_name<'a>(subject: &Subject<'a>, call: &SlowCall) -> &'a str {
    let of_pid = subject
        .processes
        .iter()
        .filter(|process| process.pid == call.pid);
    let mut threads = of_pid.flat_map(|process| &process.threads);
    threads
        .find(|thread| thread.tid == call.tid)
        .map_or(units::NONE, |thread| &thread.name)
}
