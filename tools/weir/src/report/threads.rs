//! The threads of all processes.

use std::cmp::Reverse;

use weir_report::model::{Process, Thread};

use super::measure::{self, CallSums};
use super::page::{Cell, Column, Page, Table};
use super::subject::Subject;
use crate::cli::Sort;
use crate::{text, units};

/// How many are shown: of more, those that come first in the order.
const SHOWN: usize = 16;

pub fn show(page: &mut Page, subject: &Subject<'_>, sort: Sort) {
    let mut threads: Vec<(&Process, &Thread, CallSums)> = Vec::new();
    for &process in &subject.processes {
        for thread in &process.threads {
            threads.push((
                process,
                thread,
                CallSums::of_thread(thread, &process.functions),
            ));
        }
    }
    if threads.is_empty() {
        return;
    }
    threads.sort_by_key(|(.., totals)| Reverse(totals.key(sort)));
    page.heading("Threads", measure::order(sort));

    let mut columns = vec![
        Column::number("tid", 1),
        Column::name("name", 0, 8),
        Column::number("alloc calls", 3),
        Column::number("asked for", 4),
        Column::number("I/O calls", 5),
        Column::number("moved", 6),
        Column::number("live", 2),
        Column::number("time", 0),
    ];
    let has_pid = subject.has_many_processes();
    let has_waited = threads.iter().any(|(.., totals)| totals.waited.is_some());
    let has_count = threads.iter().any(|(_, thread, _)| thread.threads != 1);
    if has_waited {
        columns.push(Column::number("waited", 1));
    }
    if has_count {
        columns.insert(2, Column::number("threads", 7));
    }
    if has_pid {
        columns.insert(0, Column::number("pid", 0));
    }
    let mut table = Table::new(columns);
    for (process, thread, totals) in threads.iter().take(SHOWN) {
        let mut row = vec![
            Cell::new(tid(thread)),
            Cell::new(&thread.name),
            Cell::new(units::count(totals.alloc_calls)),
            Cell::new(units::bytes(totals.allocated_bytes)),
            Cell::new(units::count(totals.io_calls)),
            Cell::new(units::bytes(totals.moved_bytes)),
            Cell::new(units::signed_bytes(thread.live_bytes)),
            Cell::new(measure::shown(totals.time)),
        ];
        if has_waited {
            row.push(Cell::new(measure::shown(totals.waited)));
        }
        if has_count {
            row.insert(2, Cell::new(units::count(thread.threads)));
        }
        if has_pid {
            row.insert(0, Cell::new(process.pid.to_string()));
        }
        table.push(row);
    }
    page.table(table);
    if has_count {
        page.remark("a row of several threads: they used one slot, one after the other; tid and name are those of the latest");
    }
    if threads.len() > SHOWN {
        let more = (threads.len() - SHOWN) as u64;
        page.remark(&format!(
            "and {}",
            text::counted(more, "more row", "more rows")
        ));
    }
}

fn tid(thread: &Thread) -> String {
    match thread.tid {
        0 => units::NONE.to_owned(),
        tid => tid.to_string(),
    }
}
