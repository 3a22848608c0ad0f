//! The slowest calls of a process image.

use std::cmp::Reverse;
use std::sync::atomic::Ordering::Relaxed;

use weir_record::functions::{Family, Function, Size};
use weir_record::slow::SlowCall;

use super::Findings;
use crate::activity::waits;
use crate::model;

/// How many slow calls a process and a report have.
pub const REPORTED: usize = 20;

/// The slowest calls that the threads kept: those that wait, or all others; slowest first.
pub fn slowest(findings: &Findings<'_>, waiting: bool) -> Vec<model::SlowCall> {
    let Some(rate) = findings.rate else {
        return Vec::new();
    };
    let started = findings.started.ticks;
    kept(findings, waiting)
        .into_iter()
        .map(|(function, call)| model::SlowCall {
            function: function.name().to_owned(),
            took_ns: rate.ns(call.took_ticks),
            at_ns: rate.ns(call.began_ticks.saturating_sub(started)),
            pid: findings.region.header.pid.load(Relaxed),
            tid: call.tid,
            size_bytes: (function.row().size != Size::None).then_some(call.size),
            fd: function.row().fd.map(|_| call.fd),
            looks: None,
        })
        .collect()
}

fn kept(findings: &Findings<'_>, waiting: bool) -> Vec<(Function, SlowCall)> {
    let mut slowest = Vec::new();
    for counters in findings.region.counters() {
        let calls = Family::ALL
            .into_iter()
            .flat_map(|family| counters.slow(family).iter());
        slowest.extend(calls.filter_map(|call| {
            let function = Function::from_index(usize::try_from(call.function).ok()?)?;
            (waits(function) == waiting).then_some((function, call))
        }));
        // Stable: of equally slow ones the first that was found.
        slowest.sort_by_key(|(_, call)| Reverse(call.took_ticks));
        slowest.truncate(REPORTED);
    }
    slowest
}
