//! The process images, where there is more than one.

use std::cmp::Reverse;

use weir_report::model::{EndKind, Folded, Process};
use weir_report::recording::MOST_WHOLE;

use super::heap::NOT_KNOWN;
use super::measure::{self, CallSums};
use super::page::{Cell, Column, Page, Table};
use super::subject::{Subject, ending};
use crate::cli::Sort;
use crate::{text, units};

/// How many are shown: of more, those that come first in the order.
pub const SHOWN: usize = 24;
/// How many kinds of ends a shared row names.
const ENDS: usize = 6;

pub fn show(page: &mut Page, subject: &Subject<'_>, sort: Sort) {
    if !subject.has_many_processes() {
        return;
    }
    let mut processes: Vec<(&Process, CallSums)> = subject
        .processes
        .iter()
        .map(|&process| (process, CallSums::of(&process.functions)))
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
            Cell::new(of_one(process, process.pid)),
            Cell::new(of_one(process, process.parent_pid)),
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
    let more = processes.iter().skip(SHOWN).map(|(of, _)| of.stands_for());
    let more = more.fold(0, u64::saturating_add);
    if more > 0 {
        page.remark(&format!(
            "and {}",
            text::counted(more, "more process", "more processes")
        ));
    }
    for process in &subject.processes {
        if let Some(folded) = &process.folded {
            page.remark(&together(process, folded));
        }
    }
    remark_on_folded(page, subject);
}

/// How many share an entry, and what would keep them apart.
fn remark_on_folded(page: &mut Page, subject: &Subject<'_>) {
    let (whole, shared): (Vec<&Process>, Vec<&Process>) = { &subject.processes }
        .iter()
        .partition(|process| process.folded.is_none());
    let counts = shared.iter().map(|process| process.stands_for());
    let folded = counts.fold(0, u64::saturating_add);
    // Of several runs there is a sum only, and where more are whole, the option was given.
    if folded > 0 && subject.runs == 1 && (1..=MOST_WHOLE).contains(&whole.len()) {
        page.remark(&format!(
            "{} in such entries; weir run --all-processes keeps each",
            text::counted(folded, "process is", "processes are")
        ));
    }
}

/// A process id, where the row is of one process.
fn of_one(process: &Process, pid: u32) -> String {
    match process.folded {
        Some(_) => units::NONE.to_owned(),
        None => pid.to_string(),
    }
}

/// How many a row is of, and how they ended.
fn together(process: &Process, folded: &Folded) -> String {
    let who = match text::file_name(&process.executable) {
        "" => "other executables".to_owned(),
        name => text::printable(name).into_owned(),
    };
    let mut ends: Vec<String> = folded
        .ends
        .iter()
        .take(ENDS)
        .map(|count| format!("{} {}", units::count(count.processes), ending(&count.end)))
        .collect();
    if folded.ends.len() > ENDS {
        ends.push("others in other ways".to_owned());
    }
    format!(
        "{} of {who} share one entry: {}",
        text::counted(folded.processes, "process", "processes"),
        ends.join("; ")
    )
}

fn end(process: &Process) -> Cell {
    let end = match &process.folded {
        Some(folded) if folded.ends.len() > 1 => return Cell::new("various"),
        _ => &process.end,
    };
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
    let command = match &process.title {
        Some(title) => text::printable(title).into_owned(),
        None => text::command_line(&words),
    };
    match &process.folded {
        Some(folded) if process.executable.is_empty() => {
            format!("({} of other executables)", units::count(folded.processes))
        }
        Some(folded) => format!("({} together) {command}", units::count(folded.processes)),
        None if process.forked => format!("(fork) {command}"),
        None => command,
    }
}
