//! The slowest calls, and apart from them the longest waits: a call that waits is not slow.

use weir_report::model::{Process, SlowCall};

use super::looks;
use super::page::{Cell, Column, Page, Table};
use super::subject::Subject;
use crate::{text, units};

/// How many are shown of each.
const SHOWN: usize = 10;

pub fn show(page: &mut Page, subject: &Subject<'_>) {
    let waits = subject.longest_waits;
    let aside = match waits {
        [] => "of the timed calls",
        _ => "of the timed calls; waits are listed below",
    };
    section(page, subject, subject.slowest, "Slowest calls", aside);
    section(page, subject, waits, "Longest waits", "");
}

/// Those of one function.
pub fn show_of(page: &mut Page, subject: &Subject<'_>, function: &str) {
    let calls = subject.slowest.iter().chain(subject.longest_waits);
    let calls: Vec<SlowCall> = calls
        .filter(|call| call.function == function)
        .cloned()
        .collect();
    section(
        page,
        subject,
        &calls,
        "Slowest calls",
        "of the slowest of all functions",
    );
}

fn section(page: &mut Page, subject: &Subject<'_>, calls: &[SlowCall], heading: &str, aside: &str) {
    if calls.is_empty() {
        return;
    }
    page.heading(heading, aside);
    let shown = &calls[..calls.len().min(SHOWN)];
    let mut columns = vec![
        Column::number("took", 0),
        Column::name("function", 0, 12),
        Column::number("at", 1),
        Column::number("fd", 4),
        Column::number("tid", 5),
        Column::name("thread", 2, 8),
    ];
    let has_pid = subject.has_many_processes();
    let has_looks = shown.iter().any(|call| call.looks.is_some());
    let has_size = shown.iter().any(|call| call.size_bytes.is_some());
    if has_looks {
        columns.push(Column::name("looks", 2, 20));
    }
    if has_pid {
        columns.insert(4, Column::number("pid", 2));
    }
    if has_size {
        columns.insert(3, Column::number("size", 3));
    }
    let mut table = Table::new(columns);
    for call in shown {
        let fd = call.fd.map_or(units::NONE.to_owned(), |fd| fd.to_string());
        let mut row = vec![
            Cell::new(units::time(call.took_ns)),
            Cell::new(&call.function),
            Cell::new(format!("+{}", units::time(call.at_ns))),
            Cell::new(fd),
            Cell::new(call.tid.to_string()),
            Cell::new(thread_name(subject, call)),
        ];
        if has_looks {
            row.push(Cell::new(looks::in_a_table(call.looks.as_ref())));
        }
        if has_pid {
            row.insert(4, Cell::new(call.pid.to_string()));
        }
        if has_size {
            let size = call.size_bytes.map_or(units::NONE.to_owned(), units::bytes);
            row.insert(3, Cell::new(size));
        }
        table.push(row);
    }
    page.table(table);
    if calls.len() > SHOWN {
        let more = (calls.len() - SHOWN) as u64;
        page.remark(&format!(
            "{} in the JSON",
            text::counted(more, "more is", "more are")
        ));
    }
}

/// The thread's name, where its entry is still that thread's.
fn thread_name<'a>(subject: &Subject<'a>, call: &SlowCall) -> &'a str {
    // Images of one process have the same number: that which lists the call made it.
    let has_it = |process: &&&Process| {
        process.slowest.contains(call) || process.longest_waits.contains(call)
    };
    let of_pid = || {
        subject
            .processes
            .iter()
            .filter(|process| process.pid == call.pid)
    };
    let image = of_pid().find(has_it).or_else(|| of_pid().next());
    let mut threads = image.into_iter().flat_map(|process| &process.threads);
    threads
        .find(|thread| thread.tid == call.tid)
        .map_or(units::NONE, |thread| &thread.name)
}
