//! The coroutines of a process image.

use std::sync::atomic::Ordering::Relaxed;

use weir_record::coroutine::{Coroutine, ENDED, RUNTIME};

use super::{Findings, text};
use crate::model::{CoroutineUse, Coroutines};

/// What each coroutine did; none where no runtime registered itself. The first entry is of all that have none.
pub fn coroutines(findings: &Findings<'_>) -> Option<Coroutines> {
    let header = findings.region.header;
    let runtime = text(&header.runtime);
    let entries = findings.region.coroutines();
    if runtime.is_empty() && entries.is_empty() {
        return None;
    }
    let of_entry = |entry: &Coroutine| CoroutineUse {
        pid: header.pid.load(Relaxed),
        id: format!("{:#x}", entry.id() & !ENDED),
        name: text(&entry.name),
        ended: entry.id() & ENDED != 0,
        calls: entry.calls.get(),
        moved_bytes: entry.moved_bytes.get(),
        waits: entry.waits.get(),
        wait_ns: findings
            .rate
            .map_or(0, |rate| rate.ns(entry.wait_ticks.get())),
        allocations: entry.allocations.get(),
        live_bytes: entry.live_bytes.get_signed(),
        live_blocks: entry.live_blocks.get_signed(),
    };
    let mut all = entries.iter();
    let unnamed = |of| CoroutineUse {
        id: String::new(),
        ..of
    };
    let others = all.next().map(of_entry).unwrap_or_default();
    let mut coroutines = Coroutines {
        runtime,
        listed: all
            .clone()
            .filter(|entry| !matches!(entry.id(), 0 | RUNTIME))
            .map(of_entry)
            .collect(),
        others: unnamed(others),
        by_runtime: all
            .find(|entry| entry.id() == RUNTIME)
            .map(|entry| unnamed(of_entry(entry))),
        folded: header.folded_coroutines.get(),
        blocked_calls: header.blocked_coroutines.get(),
    };
    coroutines.cut();
    Some(coroutines)
}
