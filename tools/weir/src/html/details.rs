//! What the page shows of all processes together, or of one of them, beside what the report says itself.

use std::collections::BTreeMap;

use serde::Serialize;
use weir_report::Ordered;
use weir_report::model::{Function, Latency};

use super::sites::SitesOf;
use crate::report::findings::{self, Finding};
use crate::report::measure::{CallSums, Time};
use crate::report::{Subject, heap, missed};
use crate::sites::Sites;

/// All of it.
#[derive(Debug, Serialize)]
pub struct Details {
    pub findings: Vec<Found>,
    /// The histograms of each function that has any.
    pub histograms: BTreeMap<String, Histograms>,
    /// The time that all calls of a function took, where enough of them were timed: nanoseconds, and the error of an estimate, which
    /// is 0 where the time is exact.
    pub times: BTreeMap<String, (u64, u64)>,
    pub sums: Sums,
    /// What was not observed or not measured, a sentence each.
    pub missed: Vec<String>,
    /// Absent where there are no call stacks.
    pub sites: Option<SitesOf>,
}

/// What the summary has.
#[derive(Debug, Serialize)]
pub struct Sums {
    pub calls: u64,
    pub errors: u64,
    pub allocating_calls: u64,
    pub allocated_bytes: u64,
    pub read_bytes: u64,
    pub written_bytes: u64,
    /// What all processes had at one moment, at least; absent where that is not known.
    pub peak_at_once_bytes: Option<u64>,
    /// Whether anything is known of the heap.
    pub is_heap_known: bool,
}

/// A finding, and what to do.
#[derive(Debug, Serialize)]
pub struct Found {
    pub severity: &'static str,
    pub title: &'static str,
    pub evidence: String,
    pub place: Option<String>,
    pub remedy: &'static str,
}

/// The histograms of a function.
#[derive(Debug, Serialize)]
pub struct Histograms {
    pub all: Vec<Class>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub wait: Vec<Class>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub transfer: Vec<Class>,
}

/// From and up to how many nanoseconds, the latter not included, and how many calls.
type Class = (u64, u64, u64);

impl Details {
    /// Those of a subject, with its call sites; `table` is what the page has of these.
    pub fn of(subject: &Subject<'_>, sites: Option<&Sites>, table: Option<SitesOf>) -> Details {
        let functions = subject.functions.iter();
        let histograms = functions.clone().filter_map(|(name, of)| {
            let histograms = histograms(of)?;
            Some((name.clone(), histograms))
        });
        let times = functions.filter_map(|(name, of)| {
            let time = Time::of(of)?;
            Some((name.clone(), (time.ns, time.error_ns)))
        });
        let findings = findings::of(subject, sites);
        Details {
            findings: findings.into_iter().map(found).collect(),
            histograms: histograms.collect(),
            times: times.collect(),
            sums: sums(subject),
            missed: missed::sentences(subject.missed),
            sites: table,
        }
    }
}

fn sums(subject: &Subject<'_>) -> Sums {
    let totals = CallSums::of(subject.functions);
    let processes = subject.processes.iter().copied();
    Sums {
        calls: totals.calls,
        errors: totals.errors,
        allocating_calls: totals.allocating_calls,
        allocated_bytes: totals.allocated_bytes,
        read_bytes: totals.read_bytes,
        written_bytes: totals.written_bytes,
        peak_at_once_bytes: subject
            .tree_peak
            .map(|peak| heap::at_once(peak, processes.clone())),
        is_heap_known: subject.heap.not_known.is_none()
            || processes.clone().any(|of| of.heap.not_known.is_none()),
    }
}

fn found(of: Finding) -> Found {
    Found {
        severity: of.severity.name(),
        title: of.rule.title(),
        evidence: of.evidence,
        place: of.place,
        remedy: of.rule.remedy(),
    }
}

fn histograms(of: &Function) -> Option<Histograms> {
    let classes = |latency: &Latency| {
        let ordered = Ordered::of(latency);
        let classes = ordered.iter().flat_map(Ordered::classes);
        let classes = classes
            .map(|(between, calls)| (*between.start(), between.end().saturating_add(1), calls));
        classes.collect::<Vec<Class>>()
    };
    let histograms = Histograms {
        all: of.latency.as_deref().map(classes).unwrap_or_default(),
        wait: of
            .parts
            .as_deref()
            .map(|of| classes(&of.wait))
            .unwrap_or_default(),
        transfer: of
            .parts
            .as_deref()
            .map(|of| classes(&of.transfer))
            .unwrap_or_default(),
    };
    let any = [&histograms.all, &histograms.wait, &histograms.transfer];
    any.iter().any(|of| !of.is_empty()).then_some(histograms)
}
