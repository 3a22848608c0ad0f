//! What the page shows.

use std::collections::BTreeMap;

use serde::Serialize;
use weir_report::Ordered;
use weir_report::model::{Function, Latency, Parts, Process, Report};

use super::sites::SiteTable;
use crate::cli::SiteArgs;
use crate::failure::Failure;
use crate::report::findings::{self, Finding};
use crate::report::measure::{CallSums, Time};
use crate::report::{Subject, ending, heap, missed};
use crate::sites::Sites;

/// All that the page is given. It is no format for other readers, and may change with every version.
#[derive(Debug, Serialize)]
pub struct Data {
    /// The name of the report's file.
    pub file: String,
    /// The report, without what only tools can read: histograms in their text form, stacks, where functions lead.
    pub report: Report,
    /// For each process, in the order of the report's.
    pub processes: Vec<Extra>,
    pub findings: Vec<Found>,
    /// The histograms of each function that has any.
    pub histograms: BTreeMap<String, Histograms>,
    /// The time that all calls of a function took, where enough of them were timed: nanoseconds, and the error of an estimate, which
    /// is 0 where the time is exact.
    pub times: BTreeMap<String, (u64, u64)>,
    pub sums: Sums,
    /// How the first process ended, as the predicate of a sentence.
    pub ending: String,
    /// What was not observed or not measured, a sentence each.
    pub missed: Vec<String>,
    /// Absent where the report has no call stacks.
    pub sites: Option<SiteTable>,
}

/// What the page shows of the whole, as the summary has it.
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

/// What the report does not say of a process by itself.
#[derive(Debug, Serialize)]
pub struct Extra {
    /// From the start of the first process image to that of this one, in nanoseconds: JavaScript's numbers cannot hold the times of
    /// the report.
    pub offset_ns: u64,
    /// How it ended, as the predicate of a sentence.
    pub ending: String,
    /// Of how many images the entry is.
    pub images: u64,
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

impl Data {
    /// The page's data of a report; `asked` is for its call sites.
    pub fn of(mut report: Report, file: &str, asked: &SiteArgs) -> Result<Data, Failure> {
        let processes: Vec<&Process> = report.processes.iter().collect();
        let has_stacks = processes.iter().any(|of| of.stacks.is_some());
        let sites = has_stacks.then(|| Sites::asked(&processes, asked));
        let sites = sites.transpose()?;
        let subject = Subject::whole(&report);
        let findings = findings::of(&subject, sites.as_ref());
        let findings = findings.into_iter().map(found).collect();
        let histograms = report.functions.iter().filter_map(|(name, of)| {
            let histograms = histograms(of)?;
            Some((name.clone(), histograms))
        });
        let histograms = histograms.collect();
        let times = report.functions.iter().filter_map(|(name, of)| {
            let time = Time::of(of)?;
            Some((name.clone(), (time.ns, time.error_ns)))
        });
        let times = times.collect();
        let sums = sums(&report);
        let missed = missed::sentences(&report.missed);
        let table = sites.map(|sites| SiteTable::of(&processes, &sites));
        let extras = report.processes.iter().map(|of| Extra {
            offset_ns: of.started_unix_ns.saturating_sub(report.started_unix_ns),
            ending: ending(&of.end),
            images: of.stands_for(),
        });
        let processes = extras.collect();
        let ending = ending(&report.end);
        strip(&mut report);
        Ok(Data {
            file: file.to_owned(),
            report,
            processes,
            findings,
            histograms,
            times,
            sums,
            ending,
            missed,
            sites: table,
        })
    }
}

fn sums(report: &Report) -> Sums {
    let totals = CallSums::of(&report.functions);
    let processes = report.processes.iter();
    let peak = report.tree_peak.as_ref();
    Sums {
        calls: totals.calls,
        errors: totals.errors,
        allocating_calls: totals.allocating_calls,
        allocated_bytes: totals.allocated_bytes,
        read_bytes: totals.read_bytes,
        written_bytes: totals.written_bytes,
        peak_at_once_bytes: peak.map(|peak| heap::at_once(peak, processes.clone())),
        is_heap_known: report.heap.not_known.is_none()
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

/// Takes out what the page does not show, or has in another form.
fn strip(report: &mut Report) {
    let of_functions = |functions: &mut BTreeMap<String, Function>| {
        for function in functions.values_mut() {
            let latency = function.latency.as_deref_mut();
            let parts = function.parts.as_deref_mut();
            let parts = parts.map(|Parts { wait, transfer, .. }| [wait, transfer]);
            for latency in latency.into_iter().chain(parts.into_iter().flatten()) {
                latency.histogram = String::new();
            }
        }
    };
    of_functions(&mut report.functions);
    for process in &mut report.processes {
        process.stacks = None;
        process.provenance = Vec::new();
        of_functions(&mut process.functions);
    }
}
