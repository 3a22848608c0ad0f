//! Calls that had not returned.

use weir_report::model::{EndKind, InFlight, Process};

use super::looks;
use super::page::{Cell, Column, Page, Table};
use super::subject::Subject;
use crate::sites::{Naming, Sites};
use crate::symbols::DEBUG_DIRECTORY;
use crate::{text, units};

/// How many are shown.
const SHOWN: usize = 20;

pub fn show(page: &mut Page, subject: &Subject<'_>) {
    show_of(page, subject, None);
}

/// Those of one function, or of all.
pub fn show_of(page: &mut Page, subject: &Subject<'_>, function: Option<&str>) {
    let mut all = in_order(subject.processes.iter().copied());
    all.retain(|(_, call)| function.is_none_or(|function| function == call.function));
    if all.is_empty() {
        return;
    }
    page.heading("Calls in flight", "that had not returned");
    let with_stacks = all.iter().filter(|(_, call)| call.frame.is_some());
    let with_stacks = with_stacks.map(|(process, _)| *process);
    let sites = Sites::of(with_stacks, &[DEBUG_DIRECTORY.into()], Naming::Quick);
    let has_pid = subject.has_many_processes();
    let mut columns = vec![
        Column::number("for", 0),
        Column::name("function", 0, 12),
        Column::number("fd", 1),
        Column::path("file or socket", 2, 16),
        Column::number("tid", 3),
        Column::name("thread", 4, 8),
        Column::name("looks", 2, 20),
        Column::name("called by", 1, 20),
    ];
    if has_pid {
        columns.insert(4, Column::number("pid", 1));
    }
    let mut table = Table::new(columns);
    for (process, call) in all.iter().take(SHOWN) {
        let none = || units::NONE.to_owned();
        let place = { sites.as_ref() }.and_then(|sites| sites.place_of_call(process, call));
        let mut row = vec![
            Cell::new(call.age_ns.map_or_else(none, units::time)),
            Cell::new(&call.function),
            Cell::new(call.fd.map_or_else(none, |fd| fd.to_string())),
            Cell::new(file(call).unwrap_or(units::NONE)),
            Cell::new(call.tid.to_string()),
            Cell::new(thread_name(process, call)),
            Cell::new(looks::in_a_table(call.looks.as_ref())),
            Cell::new(place.unwrap_or_else(none)),
        ];
        if has_pid {
            row.insert(4, Cell::new(process.pid.to_string()));
        }
        table.push(row);
    }
    page.table(table.without_empty_columns());
    if all.len() > SHOWN {
        let more = (all.len() - SHOWN) as u64;
        page.remark(&format!(
            "{} in the JSON",
            text::counted(more, "more is", "more are")
        ));
    }
}

/// All calls in flight, the oldest first; those of which no age is known after them.
fn in_order<'a>(processes: impl Iterator<Item = &'a Process>) -> Vec<(&'a Process, &'a InFlight)> {
    let mut all: Vec<_> = processes
        .flat_map(|process| process.in_flight.iter().map(move |call| (process, call)))
        .collect();
    all.sort_by_key(|(_, call)| std::cmp::Reverse(call.age_ns));
    all
}

/// The oldest call that shows why a program did not end by itself, in a line, if there is one: of processes that
/// were killed, or are still running.
pub fn in_a_line(processes: &[Process], sites: Option<&Sites>) -> Option<String> {
    let cut_off = processes.iter().filter(|process| {
        matches!(
            process.end.how,
            EndKind::Signaled | EndKind::Unknown | EndKind::Running
        )
    });
    let all = in_order(cut_off);
    let (process, call) = all.first()?;
    let mut line = call.function.clone();
    if let Some(fd) = call.fd {
        line += &format!(" of descriptor {fd}");
    }
    if let Some(file) = file(call) {
        line += &format!(" ({file})");
    }
    if let Some(age) = call.age_ns {
        line += &format!(" for {}", units::time(age));
    }
    if let Some(place) = sites.and_then(|sites| sites.place_of_call(process, call)) {
        line += &format!(", called by {place}");
    }
    line += &format!(", thread {}", call.tid);
    if processes.len() > 1 {
        line += &format!(" of process {}", process.pid);
    }
    if all.len() > 1 {
        line += &format!("; {} more in the report", all.len() - 1);
    }
    Some(line)
}

/// The name of what the call's descriptor led to, or what it was.
fn file(call: &InFlight) -> Option<&str> {
    call.file.as_deref().or(call.kind.as_deref())
}

fn thread_name<'a>(process: &'a Process, call: &InFlight) -> &'a str {
    let mut threads = process.threads.iter();
    threads
        .find(|thread| thread.tid == call.tid)
        .map_or(units::NONE, |thread| &thread.name)
}
