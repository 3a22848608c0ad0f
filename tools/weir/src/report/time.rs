//! Where the time went: what the calls that are always timed were for.

use weir_report::model::Activity;

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
    rows.sort_by_key(|(.., activity)| std::cmp::Reverse((activity.total_ns, activity.calls)));
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
