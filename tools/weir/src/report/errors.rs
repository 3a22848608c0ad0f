//! The calls that failed, by errno.

use super::page::{Cell, Column, Page, Table};
use super::subject::Subject;
use crate::units;

pub fn show(page: &mut Page, subject: &Subject<'_>) {
    let mut rows: Vec<(&str, &str, u64, u64)> = Vec::new();
    for (name, function) in subject.functions {
        let mut listed = 0_u64;
        for (errno, &count) in &function.errors_by_errno {
            rows.push((name, errno, count, function.calls));
            listed = listed.saturating_add(count);
        }
        if function.errors > listed {
            rows.push((name, units::NONE, function.errors - listed, function.calls));
        }
    }
    if rows.is_empty() {
        return;
    }
    rows.sort_by_key(|&(.., count, _)| std::cmp::Reverse(count));
    page.heading("Errors", "by errno");
    let mut table = Table::new([
        Column::name("function", 0, 12),
        Column::name("errno", 0, 8),
        Column::number("calls", 0),
        Column::number("of all its calls", 1),
    ]);
    for (name, errno, count, calls) in rows {
        let share = units::share(count, calls);
        table.push([
            Cell::new(name),
            Cell::new(errno),
            Cell::alarming(units::count(count)),
            Cell::new(share),
        ]);
    }
    page.table(table);
}
