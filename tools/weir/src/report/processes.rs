//! The process images, where there is more than one.

use std::cmp::Reverse;

use weir_report::model::{EndKind, Process};

use super::heap::NOT_KNOWN;
use super::measure::{self, Totals};
use super::page::{Cell, Column, Page, Table};
use super::subject::Subject;
use crate::cli::Sort;
use crate::{text, units};

/// How many are shown: of more, those that come first in the order.
const SHOWN: usize = 24;

pub fn show(page: &mut Page, subject: &Subject<'_>, sort: Sort) {
    if !subject.has_many_processes() {
        return;
    }
    let mut processes: Vec<(&Process, Totals)> = subject
        .processes
        .iter()
        .map(|&process| (process, Totals::of(&process.functions)))
        .collect();
    processes.sort_by_key(|(_, totals)| Reverse(totals.key(sort)));

    page.heading("Processes", measure::order(sort));
    let has_waited = processes.iter().any(|(_, totals)| totals.waited.is_some());
    let mut columns = vec![
        Column::number("pid", 0),
        Column::number("parent", 9),
        Column::number("started", 7),
        Column::number("ran", 4),
        Column::name("end", 2, 9),
        Column::number("calls", 3),
        Column::number("asked for", 5),
        Column::number("peak heap", 6),
        Column::number("moved", 8),
        Column::number("time", 0),
        Column::name("command", 1, 20),
    ];
    if has_waited {
        columns.insert(10, Column::number("waited", 3));
    }
    let mut table = Table::new(columns);
    let first = subject.started_unix_ns;
    for (process, totals) in processes.iter().take(SHOWN) {
        let mut row = vec![
            Cell::new(process.pid.to_string()),
            Cell::new(process.parent_pid.to_string()),
            Cell::new(format!(
                "+{}",
                units::time(process.started_unix_ns.saturating_sub(first))
            )),
            Cell::new(units::time(process.duration_ns)),
            end(process),
            Cell::new(units::count(totals.calls)),
            Cell::new(units::bytes(totals.allocated_bytes)),
            Cell::new(match process.heap.not_known {
                Some(_) => NOT_KNOWN.to_owned(),
                None => units::bytes(process.heap.peak_bytes),
            }),
            Cell::new(units::bytes(totals.moved_bytes)),
            Cell::new(measure::shown(totals.time)),
            Cell::new(command(process)),
        ];
        if has_waited {
            row.insert(10, Cell::new(measure::shown(totals.waited)));
        }
        table.push(row);
    }
    page.table(table);
    if processes.len() > SHOWN {
        let more = (processes.len() - SHOWN) as u64;
        page.remark(&format!(
            "and {}",
            text::counted(more, "more process", "more processes")
        ));
    }
}

fn end(process: &Process) -> Cell {
    let end = &process.end;
    match (end.how, end.status, end.signal) {
        (EndKind::Running, ..) => Cell::new("runs"),
        (EndKind::Exec, ..) => Cell::new("exec"),
        (EndKind::Exited, Some(0), _) => Cell::new("exit 0"),
        (EndKind::Exited, Some(status), _) => Cell::alarming(format!("exit {status}")),
        (EndKind::Exited, None, _) => Cell::new("exit"),
        (EndKind::Signaled, _, Some(signal)) => Cell::alarming(format!("signal {signal}")),
        (EndKind::Signaled, _, None) => Cell::alarming("signal"),
        (EndKind::Unknown, ..) => Cell::new("unknown"),
    }
}

fn command(process: &Process) -> String {
    // Of the program's path, only the name: the page has its place for paths where one process is
    // shown in detail.
    let mut words = process.command.clone();
    if let Some(program) = words.first_mut() {
        *program = text::file_name(program).to_owned();
    }
    let command = text::command_line(&words);
    if process.forked {
        format!("(fork) {command}")
    } else {
        command
    }
}
