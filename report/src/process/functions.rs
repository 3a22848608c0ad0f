//! The counters and latencies of the functions that were called.

use std::collections::BTreeMap;

use weir_record::clock::Rate;
use weir_record::functions::{Family, Function};
use weir_record::region::Region;
use weir_record::sample::Part;
use weir_record::sizes::SIZE_CLASSES;
use weir_record::slot::PartCounters;

use super::Findings;
use crate::latency::{self, Timed};
use crate::totals::FunctionTotals;
use crate::{errno, estimate, model};

/// The functions that were called, by name.
pub fn functions(findings: &Findings<'_>) -> BTreeMap<String, model::Function> {
    let mut errnos = errnos(findings.region);
    findings
        .totals
        .functions()
        .filter(|(_, total)| total.were_called())
        .map(|(function, total)| {
            let latency = latency(findings, function, total);
            let reported = model::Function {
                family: function.row().family.name().to_owned(),
                calls: total.calls,
                errors: total.errors,
                errors_by_errno: errnos.remove(function.name()).unwrap_or_default(),
                requested_bytes: total.requested_bytes,
                moved_bytes: total.moved_bytes,
                size_classes: size_classes(findings.region, function),
                reentrant: total.reentrant,
                estimated: latency
                    .as_ref()
                    .and_then(|latency| estimate::of(total.calls, latency)),
                latency: latency.map(Box::new),
                parts: parts(findings, function).map(Box::new),
                looks: None,
            };
            (function.name().to_owned(), reported)
        })
        .collect()
}

fn latency(
    findings: &Findings<'_>,
    function: Function,
    total: &FunctionTotals,
) -> Option<model::Latency> {
    let rate = findings.rate.filter(|_| total.timed != 0)?;
    let timed = Timed {
        calls: total.timed,
        total_ns: rate.ns(total.ticks),
        slowest_ns: rate.ns(longest_ticks(findings.region, function)),
    };
    figures(findings, function, Part::Whole, timed)
}

fn figures(
    findings: &Findings<'_>,
    function: Function,
    part: Part,
    timed: Timed,
) -> Option<model::Latency> {
    match findings.latencies.of(function, part) {
        Some(histogram) => Some(latency::figures(histogram, timed)),
        None => Some(latency::figures(&latency::empty()?, timed)),
    }
}

/// The two parts of a function's calls, where any was made in two.
fn parts(findings: &Findings<'_>, function: Function) -> Option<model::Parts> {
    let rate = findings.rate?;
    let counters = || {
        let all = findings.region.counters();
        all.filter_map(|counters| counters.parts(function))
    };
    let sum = |of: fn(&PartCounters) -> u64| {
        counters().fold(0, |sum: u64, part| sum.saturating_add(of(part)))
    };
    let parted = sum(|of| of.parted.get());
    if parted == 0 {
        return None;
    }
    let timed =
        |rate: Rate, total: fn(&PartCounters) -> u64, longest: fn(&PartCounters) -> u64| Timed {
            calls: parted,
            total_ns: rate.ns(sum(total)),
            slowest_ns: rate.ns(counters().map(longest).max().unwrap_or(0)),
        };
    let wait = timed(
        rate,
        |of| of.wait_ticks.get(),
        |of| of.longest_wait_ticks.get(),
    );
    let transfer = timed(
        rate,
        |of| of.transfer_ticks.get(),
        |of| of.longest_transfer_ticks.get(),
    );
    Some(model::Parts {
        calls: parted,
        waits: sum(|of| of.waits.get()),
        wait: figures(findings, function, Part::Wait, wait)?,
        transfer: figures(findings, function, Part::Transfer, transfer)?,
    })
}

/// The longest call of a function.
fn longest_ticks(region: Region<'_>, function: Function) -> u64 {
    let all = region.counters();
    all.map(|counters| counters.of(function).longest_ticks.get())
        .max()
        .unwrap_or(0)
}

/// Failed calls by function and errno.
fn errnos(region: Region<'_>) -> BTreeMap<&'static str, BTreeMap<String, u64>> {
    let mut errnos: BTreeMap<&str, BTreeMap<String, u64>> = BTreeMap::new();
    for counters in region.counters() {
        for (function, errno, count) in counters.errnos.iter() {
            if function.row().family == Family::Alloc {
                continue;
            }
            let name = errno::name(errno).map_or_else(|| errno.to_string(), str::to_owned);
            let calls = errnos.entry(function.name()).or_default().entry(name);
            let calls = calls.or_default();
            *calls = calls.saturating_add(count);
        }
    }
    errnos
}

/// Calls by size, for the sizes that occurred.
fn size_classes(region: Region<'_>, function: Function) -> Vec<model::SizeClass> {
    let mut sums = [0_u64; SIZE_CLASSES];
    let of_threads = region.counters();
    let of_threads = of_threads.filter_map(|counters| counters.size_classes(function));
    let of_process = region.header.seldom_sizes();
    let of_process = of_process.and_then(|sizes| sizes.of(function));
    for classes in of_threads.chain(of_process) {
        for (sum, class) in sums.iter_mut().zip(classes) {
            *sum = sum.saturating_add(class.get());
        }
    }
    sums.into_iter()
        .zip(0_u32..)
        .filter(|&(calls, _)| calls != 0)
        .map(|(calls, class)| {
            let (from_bytes, to_bytes) = bounds(class);
            model::SizeClass {
                from_bytes,
                to_bytes,
                calls,
            }
        })
        .collect()
}

/// The smallest and largest size of a class: those with the same highest bit; 0 is with 1, and the last class
/// has all that are larger.
fn bounds(class: u32) -> (u64, u64) {
    let highest = 1_u64.checked_shl(class).unwrap_or(1 << 63);
    let from = if class == 0 { 0 } else { highest };
    if class as usize + 1 >= SIZE_CLASSES {
        return (from, u64::MAX);
    }
    (from, highest | (highest - 1))
}
