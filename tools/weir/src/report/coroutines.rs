//! What coroutines did.

use weir_report::model::CoroutineUse;

use super::page::{Cell, Column, Page, Table};
use super::subject::Subject;
use crate::{text, units};

/// How many are shown: those with the most calls.
const SHOWN: usize = 16;

pub fn show(page: &mut Page, subject: &Subject<'_>) {
    let Some(coroutines) = subject.coroutines else {
        return;
    };
    let listed = &coroutines.listed;
    page.heading(
        "Coroutines",
        &format!(
            "of {}, most calls first",
            text::printable(&coroutines.runtime)
        ),
    );
    if listed.is_empty() {
        page.line("none made a call");
    } else {
        let mut table = Table::new([
            Column::name("name", 0, 10),
            Column::name("pointer", 6, 14),
            Column::number("calls", 0),
            Column::number("moved", 3),
            Column::number("waited", 4),
            Column::number("wait", 1),
            Column::number("allocations", 5),
            Column::number("live", 2),
        ]);
        for one in listed.iter().take(SHOWN) {
            table.push(row(one));
        }
        page.table(table.without_empty_columns());
    }
    if let Some(more) = listed.len().checked_sub(SHOWN).filter(|&more| more > 0) {
        let more = text::counted(more as u64, "more coroutine", "more coroutines");
        page.remark(&format!("and {more}, in the JSON"));
    }
    if coroutines.folded > 0 {
        let others = &coroutines.others;
        page.remark(&format!(
            "others ({}): {}, {} moved, {} waiting",
            text::counted(coroutines.folded, "entry", "entries"),
            text::counted(others.calls, "call", "calls"),
            units::bytes(others.moved_bytes),
            units::time(others.wait_ns),
        ));
    }
    if let Some(own) = &coroutines.by_runtime {
        page.remark(&format!(
            "the runtime itself, while coroutines waited: {}, {}, {} live",
            text::counted(own.calls, "call", "calls"),
            text::counted(own.allocations, "allocation", "allocations"),
            units::signed_bytes(own.live_bytes),
        ));
    }
    if coroutines.blocked_calls > 0 {
        page.remark(&format!(
            "{} blocked a whole thread: waits for children, getaddrinfo where the runtime offers no run_blocking, or sleeps that it cannot make",
            text::counted(coroutines.blocked_calls, "call", "calls")
        ));
    }
}

fn row(one: &CoroutineUse) -> [Cell; 8] {
    let count = |number: u64| match number {
        0 => units::NONE.to_owned(),
        _ => units::count(number),
    };
    let name = match one.name.as_str() {
        "" => "(no name)",
        name => name,
    };
    [
        Cell::new(name),
        Cell::new(&one.id),
        Cell::new(units::count(one.calls)),
        Cell::new(match one.moved_bytes {
            0 => units::NONE.to_owned(),
            bytes => units::bytes(bytes),
        }),
        Cell::new(count(one.waits)),
        Cell::new(match one.waits {
            0 => units::NONE.to_owned(),
            _ => units::time(one.wait_ns),
        }),
        Cell::new(count(one.allocations)),
        Cell::new(match one.live_bytes {
            0 => units::NONE.to_owned(),
            bytes => units::signed_bytes(bytes),
        }),
    ]
}
