//! Where the time went: what the calls that are always timed were for.

use std::cmp::Reverse;

use weir_report::model::{Activity, Files, Function};

use super::page::{Cell, Column, Page, Table};
use super::subject::Subject;
use crate::units;

/// The activities of a report: its name for each, that of the page, and what it is.
const ACTIVITIES: [(&str, &str, &str); 5] = [
    ("transfer", "transfer", "reading, writing, moving, syncing"),
    ("wait", "wait", "polling, connecting, sleeping"),
    ("lock", "locks", "waiting for locks that other threads have"),
    (
        "memory_map",
        "memory maps",
        "mmap, munmap and similar calls",
    ),
    ("other", "other", "all other system calls"),
];

/// The kinds whose calls may wait for the other side: a program, a machine, a person.
const OTHER_SIDES: [&str; 7] = [
    "pipe",
    "socket",
    "socketpair",
    "tcp",
    "terminal",
    "udp",
    "unix",
];

/// What of the transfer was about sockets, pipes and terminals. None where that is not known: the report is of an earlier version,
/// or its calls have two parts, so that their waits are apart.
pub fn with_other_sides<'a>(
    files: &Files,
    mut functions: impl Iterator<Item = &'a Function>,
) -> Option<Activity> {
    if files.kinds.is_empty() || functions.any(|function| function.parts.is_some()) {
        return None;
    }
    let mut sum = Activity::default();
    for kind in OTHER_SIDES {
        let of = files.kinds.get(kind).copied().unwrap_or_default();
        for calls in [of.reads, of.writes] {
            sum.calls = sum.calls.saturating_add(calls);
        }
        for ns in [of.read_ns, of.write_ns] {
            sum.total_ns = sum.total_ns.saturating_add(ns);
        }
    }
    (sum.calls > 0).then_some(sum)
}

pub fn show(page: &mut Page, subject: &Subject<'_>) {
    let mut rows: Vec<(&str, &str, &Activity)> = Vec::new();
    for (name, activity) in subject.activities {
        let known = ACTIVITIES.iter().find(|(known, ..)| known == name);
        let (title, meaning) =
            known.map_or((name.as_str(), ""), |&(_, title, meaning)| (title, meaning));
        rows.push((title, meaning, activity));
    }
    rows.retain(|(.., activity)| activity.calls > 0);
    if rows.is_empty() {
        return;
    }
    rows.sort_by_key(|(.., activity)| Reverse((activity.total_ns, activity.calls)));
    page.heading("Time", "summed over all threads");
    let all = rows.iter().fold(0, |sum: u64, (.., activity)| {
        sum.saturating_add(activity.total_ns)
    });
    let mut table = Table::new([
        Column::name("calls for", 0, 11),
        Column::number("calls", 0),
        Column::number("time", 0),
        Column::number("share", 1),
        Column::name("that is", 2, 20),
    ]);
    let other_sides = with_other_sides(subject.files, subject.functions.values());
    if let Some(part) = &other_sides
        && let Some(transfer) = rows.iter().position(|&(title, ..)| title == "transfer")
    {
        let of_it = (
            "  of it",
            "sockets, pipes and terminals: waits for the other side included",
            part,
        );
        rows.insert(transfer + 1, of_it);
    }
    for (title, meaning, activity) in rows {
        table.push([
            Cell::new(title),
            Cell::new(units::count(activity.calls)),
            Cell::new(match all {
                0 => units::NONE.to_owned(),
                _ => units::time(activity.total_ns),
            }),
            Cell::new(units::share(activity.total_ns, all)),
            Cell::new(meaning),
        ]);
    }
    page.table(table);
    page.remark("allocation and stdio in memory are not included");
}
