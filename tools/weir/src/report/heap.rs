//! The heap: what was allocated, the peak, what is left.

use weir_report::model::Heap;

use super::measure::Totals;
use super::page::Page;
use super::subject::Subject;
use crate::{text, units};

pub fn show(page: &mut Page, subject: &Subject<'_>) {
    let totals = Totals::of(subject.functions);
    page.heading(
        "Heap",
        if subject.has_many_processes() {
            "summed over the processes"
        } else {
            ""
        },
    );
    let mut pairs = vec![
        (
            "asked for",
            format!(
                "{} in {}",
                units::bytes(totals.allocated_bytes),
                text::counted(
                    totals.allocating_calls,
                    "allocating call",
                    "allocating calls"
                ),
            ),
        ),
        ("peak", peak(subject.heap)),
        (
            "live at the end",
            blocks(subject.heap.live_bytes, subject.heap.live_blocks),
        ),
    ];
    if (subject.heap.inherited_bytes, subject.heap.inherited_blocks) != (0, 0) {
        let inherited = blocks(subject.heap.inherited_bytes, subject.heap.inherited_blocks);
        pairs.push((
            "of that inherited",
            format!("{inherited}, live already at the fork"),
        ));
    }
    page.pairs(&pairs);
}

/// The peak, and how sure it is.
pub fn peak(heap: &Heap) -> String {
    let peak = units::bytes(heap.peak_bytes);
    match heap.peak_error_bytes {
        0 => peak,
        error => format!("{peak}, give or take {}", units::bytes(error)),
    }
}

/// An amount of live memory.
pub fn blocks(bytes: i64, blocks: i64) -> String {
    let noun = if blocks == 1 { "block" } else { "blocks" };
    format!(
        "{} in {} {noun}",
        units::signed_bytes(bytes),
        units::signed_count(blocks)
    )
}
