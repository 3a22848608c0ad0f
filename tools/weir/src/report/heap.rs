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
            "sum of all processes"
        } else {
            ""
        },
    );
    let mut pairs = vec![(
        "asked for",
        format!(
            "{} in {}",
            asked_for(&totals, subject.heap),
            text::counted(
                totals.allocating_calls,
                "allocating call",
                "allocating calls"
            ),
        ),
    )];
    let mut processes = subject.processes.iter();
    let is_known = subject.heap.not_known.is_none()
        || processes.any(|process| process.heap.not_known.is_none());
    if is_known {
        pairs.push(("peak", peak(subject.heap)));
        pairs.push((
            "live at the end",
            blocks(subject.heap.live_bytes, subject.heap.live_blocks),
        ));
    }
    if let Some(reason) = &subject.heap.not_known {
        let reason = text::printable(reason).into_owned();
        pairs.push((NOT_KNOWN, reason));
    }
    if is_known && (subject.heap.inherited_bytes, subject.heap.inherited_blocks) != (0, 0) {
        let inherited = blocks(subject.heap.inherited_bytes, subject.heap.inherited_blocks);
        pairs.push((
            "of that inherited",
            format!("{inherited}, which were live at the fork"),
        ));
    }
    page.pairs(&pairs);
}

/// The text in place of a number that is not known.
pub const NOT_KNOWN: &str = "not known";

/// How much was asked for, where that is known.
pub fn asked_for(totals: &Totals, heap: &Heap) -> String {
    if heap.not_known.is_some() && totals.allocating_calls == 0 {
        return NOT_KNOWN.to_owned();
    }
    units::bytes(totals.allocated_bytes)
}

/// The peak, and how sure it is.
pub fn peak(heap: &Heap) -> String {
    let peak = units::bytes(heap.peak_bytes);
    match heap.peak_error_bytes {
        0 => peak,
        error => format!("{peak} ± {}", units::bytes(error)),
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
