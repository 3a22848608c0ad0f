//! The heap: what was allocated, the peak, what is left.

use weir_report::model::{Heap, Process, TreePeak};

use super::measure::CallSums;
use super::page::Page;
use super::subject::Subject;
use crate::{text, units};

pub fn show(page: &mut Page, subject: &Subject<'_>) {
    let totals = CallSums::of(subject.functions);
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
        if let Some(of) = subject.tree_peak {
            let bytes = at_once(of, subject.processes.iter().copied());
            pairs.push(("at one moment", moment(of, bytes)));
        }
        let live = if subject.has_many_processes() {
            of_their_own(subject.heap)
        } else {
            (subject.heap.live_bytes, subject.heap.live_blocks)
        };
        pairs.push(("live at the end", blocks(live.0, live.1)));
    }
    if let Some(reason) = &subject.heap.not_known {
        let reason = text::printable(reason).into_owned();
        pairs.push((NOT_KNOWN, reason));
    }
    if is_known && (subject.heap.inherited_bytes, subject.heap.inherited_blocks) != (0, 0) {
        let inherited = blocks(subject.heap.inherited_bytes, subject.heap.inherited_blocks);
        pairs.push(if subject.has_many_processes() {
            (
                "and inherited",
                format!("{inherited}, which were live at forks"),
            )
        } else {
            (
                "of that inherited",
                format!("{inherited}, which were live at the fork"),
            )
        });
    }
    page.pairs(&pairs);
}

/// The text in place of a number that is not known.
pub const NOT_KNOWN: &str = "not known";

/// How much was asked for, where that is known.
pub fn asked_for(totals: &CallSums, heap: &Heap) -> String {
    if heap.not_known.is_some() && totals.allocating_calls == 0 {
        return NOT_KNOWN.to_owned();
    }
    units::bytes(totals.allocated_bytes)
}

/// Bytes and blocks that were live at the end, without those that were live at forks: each process that was forked has these again, and
/// so many small processes would seem to hold very much.
pub fn of_their_own(heap: &Heap) -> (i64, i64) {
    (
        heap.live_bytes.saturating_sub(heap.inherited_bytes),
        heap.live_blocks.saturating_sub(heap.inherited_blocks),
    )
}

/// How many processes are named at the tree's peak.
const NAMED: usize = 3;

/// What all processes had at one moment, at least: what was seen, or what one of them had at its own peak.
pub fn at_once<'a>(peak: &TreePeak, processes: impl Iterator<Item = &'a Process>) -> u64 {
    let images = processes.filter(|of| of.folded.is_none() && of.heap.not_known.is_none());
    let largest = images.map(|process| process.heap.peak_bytes).max();
    peak.live_bytes.max(largest.unwrap_or(0))
}

/// `at least 150 MiB; seen 512 ms after the start: 150 MiB in 3 processes (4711 50.0 MiB, …)`
fn moment(peak: &TreePeak, at_least: u64) -> String {
    let parts = peak.largest.iter().take(NAMED);
    let mut named: Vec<String> = parts
        .map(|part| format!("{} {}", part.pid, units::bytes(part.live_bytes)))
        .collect();
    if peak.processes > named.len() as u64 {
        named.push("…".to_owned());
    }
    format!(
        "at least {}; seen after {}: {} in {} ({})",
        units::bytes(at_least),
        units::time(peak.at_ns),
        units::bytes(peak.live_bytes),
        text::counted(peak.processes, "process", "processes"),
        named.join(", ")
    )
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
