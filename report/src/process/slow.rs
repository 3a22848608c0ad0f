//! The slowest calls of a process image.

use std::cmp::Reverse;
use std::sync::atomic::Ordering::Relaxed;

use weir_record::functions::{Function, Size};
use weir_record::slow::SlowCall;

use super::Findings;
use crate::model;

/// How many slow calls a process and a report have.
pub const REPORTED: usize = 20;

/// The slow calls that the threads kept.
pub struct SlowCalls {
    /// The longest of each function, in the order of the table.
    longest_ticks: Vec<u64>,
    /// The slowest of all, slowest first.
    slowest: Vec<(Function, SlowCall)>,
}

impl SlowCalls {
    /// Looks through all slots.
    pub fn of(findings: &Findings<'_>) -> SlowCalls {
        let mut longest_ticks = vec![0; Function::COUNT];
        let mut slowest = Vec::new();
        for counters in findings.region.counters() {
            for (function, longest) in Function::ALL.into_iter().zip(&mut longest_ticks) {
                for call in counters.slow(function).iter() {
                    *longest = call.took_ticks.max(*longest);
                    slowest.push((function, call));
                }
            }
            // Stable: of equally slow ones the first that was found.
            slowest.sort_by_key(|(_, call)| Reverse(call.took_ticks));
            slowest.truncate(REPORTED);
        }
        SlowCalls {
            longest_ticks,
            slowest,
        }
    }

    /// The longest call of a function; 0 where none was kept.
    pub fn longest_ticks(&self, function: Function) -> u64 {
        self.longest_ticks
            .get(function.index())
            .copied()
            .unwrap_or(0)
    }

    /// The slowest calls, as the report has them.
    pub fn slowest(&self, findings: &Findings<'_>) -> Vec<model::SlowCall> {
        let Some(rate) = findings.rate else {
            return Vec::new();
        };
        let started = findings.started.ticks;
        self.slowest
            .iter()
            .map(|(function, call)| model::SlowCall {
                function: function.name().to_owned(),
                took_ns: rate.ns(call.took_ticks),
                at_ns: rate.ns(call.began_ticks.saturating_sub(started)),
                pid: findings.region.header.pid.load(Relaxed),
                tid: call.tid,
                size_bytes: (function.row().size != Size::None).then_some(call.size),
                fd: function.row().fd.map(|_| call.fd),
            })
            .collect()
    }
}
