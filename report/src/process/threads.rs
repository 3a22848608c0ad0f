//! The threads of a process image.

use std::collections::BTreeMap;

use weir_record::functions::Function;
use weir_record::slot::{Counters, Owner, Slot};

use super::Findings;
use crate::model::{EndKind, Thread, ThreadFunction};
use crate::totals::FunctionTotals;

/// An entry for each slot that has calls, and one for the common counters if they have.
pub fn threads(findings: &Findings<'_>) -> Vec<Thread> {
    let header = findings.region.header;
    let slots = findings.region.slots().iter();
    let mut threads: Vec<Thread> = slots.map(|slot| thread(findings, slot)).collect();
    threads.extend(header.common().map(|common| Thread {
        tid: 0,
        name: String::new(),
        threads: header.threads_without_slot.get(),
        started_ns: 0,
        running: false,
        live_bytes: common.live_bytes.get_signed(),
        functions: functions(findings, common),
    }));
    threads.retain(|thread| !thread.functions.is_empty());
    threads
}

fn thread(findings: &Findings<'_>, slot: &Slot) -> Thread {
    let owner = &slot.owner;
    let began_ticks = owner.began_ticks().saturating_sub(findings.started.ticks);
    Thread {
        tid: owner.tid(),
        name: name(owner),
        threads: owner.threads(),
        started_ns: findings.rate.map_or(0, |rate| rate.ns(began_ticks)),
        running: owner.is_taken() && findings.end.how == EndKind::Running,
        live_bytes: slot.counters.live_bytes.get_signed(),
        functions: functions(findings, &slot.counters),
    }
}

fn name(owner: &Owner) -> String {
    let name = owner.name();
    let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(name).into_owned()
}

fn functions(findings: &Findings<'_>, counters: &Counters) -> BTreeMap<String, ThreadFunction> {
    let seldom = findings.region.header.seldom_sizes();
    Function::ALL
        .into_iter()
        .map(|function| (function, FunctionTotals::of(counters, seldom, function)))
        .filter(|(_, total)| total.calls != 0)
        .map(|(function, total)| {
            let reported = ThreadFunction {
                calls: total.calls,
                errors: total.errors,
                requested_bytes: total.requested_bytes,
                moved_bytes: total.moved_bytes,
                timed: total.timed,
                total_ns: findings.rate.map_or(0, |rate| rate.ns(total.ticks)),
            };
            (function.name().to_owned(), reported)
        })
        .collect()
}
