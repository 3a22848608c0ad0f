//! Servers that answer slowly, locks that are held for long, calls that never returned.

use std::cmp::Reverse;

use weir_record::functions::{Family, Function as Known, Role};
use weir_report::model::{EndKind, FileUse, InFlight, Process, Site};

use super::super::files::short_name;
use super::super::looks;
use super::evidence::Evidence;
use super::{Finding, Rule, Severity};
use crate::{text, units};

/// A peer takes at least so long.
pub const LEAST_PEER_NS: u64 = 100_000_000;
/// And so many thousandths of the run.
pub const LEAST_PEER_THOUSANDTHS: u64 = 100;

/// Locks are waited for at least so long.
pub const LEAST_LOCK_NS: u64 = 100_000_000;
/// And for so many thousandths of the run.
pub const LEAST_LOCK_THOUSANDTHS: u64 = 100;

/// A call is under way for at least so long.
pub const LEAST_STUCK_NS: u64 = 1_000_000_000;
/// And for so many thousandths of the run.
pub const LEAST_STUCK_THOUSANDTHS: u64 = 250;

pub fn find(evidence: &Evidence<'_>, findings: &mut Vec<Finding>) {
    findings.extend(evidence.files().filter_map(|file| peer(evidence, file)));
    findings.extend(locks(evidence));
    for process in evidence.processes() {
        findings.extend(stuck(evidence, process));
    }
}

/// Whether a socket's name says that the program connected it: who accepts a connection waits for requests, and that is no fault.
fn is_asked(kind: &str, name: &str) -> bool {
    matches!(kind, "tcp" | "udp" | "unix" | "socket") && name.starts_with("to ")
}

fn peer(evidence: &Evidence<'_>, file: &FileUse) -> Option<Finding> {
    let ns = file.total_ns();
    if !is_asked(&file.kind, &file.name)
        || ns < LEAST_PEER_NS
        || !evidence.is_thousandths(ns, LEAST_PEER_THOUSANDTHS)
    {
        return None;
    }
    let is_any = |_: Role| true;
    Some(Finding {
        rule: Rule::Peer,
        severity: Severity::of_share(ns, evidence.duration_ns()),
        cost_ns: ns,
        size: file.calls(),
        evidence: format!(
            "{} about the {} connection {} took {}",
            text::counted(file.calls(), "call", "calls"),
            file.kind,
            short_name(file),
            evidence.of_run(ns),
        ),
        place: evidence.place_at(file, is_any, |part| part.time_ns),
    })
}

/// Whether it takes a lock. Semaphores are none: a thread that has nothing to do waits for one.
fn is_lock(function: Known) -> bool {
    function.row().family == Family::Lock && !function.name().starts_with("sem_")
}

/// The places that waited longest for locks; without call sites, the sum.
fn locks(evidence: &Evidence<'_>) -> Vec<Finding> {
    let is_of_lock = |site: &Site| match Known::from_name(&site.function) {
        Some(Known::Futex) => evidence.is_lock_wait(site),
        known => known.is_some_and(is_lock),
    };
    let places = evidence.places(is_of_lock);
    let of_places = places.iter().filter_map(|placed| {
        let (calls, ns) = (
            placed.sum(|site| site.calls),
            placed.sum(|site| site.time_ns),
        );
        lock(evidence, calls, ns, evidence.name_of(placed))
    });
    let of_places: Vec<Finding> = of_places.collect();
    if !of_places.is_empty() {
        return of_places;
    }
    let (mut calls, mut ns) = (0_u64, 0_u64);
    let mut add = |more_calls, more_ns| {
        calls = calls.saturating_add(more_calls);
        ns = ns.saturating_add(more_ns);
    };
    for (_, function) in evidence.functions(is_lock) {
        let total_ns = function.latency.as_ref().map_or(0, |of| of.total_ns);
        add(function.calls, total_ns);
    }
    // Which waits at a futex are for locks, only their stacks say.
    let of_places = places.iter().flat_map(|placed| &placed.sites);
    for site in of_places.filter(|site| Known::from_name(&site.function) == Some(Known::Futex)) {
        add(site.calls, site.time_ns);
    }
    let place = evidence.place(|site| match is_of_lock(site) {
        true => site.time_ns,
        false => 0,
    });
    let place = place.map(|place| format!("several places, most of it {place}"));
    lock(evidence, calls, ns, place).into_iter().collect()
}

fn lock(evidence: &Evidence<'_>, calls: u64, ns: u64, place: Option<String>) -> Option<Finding> {
    if ns < LEAST_LOCK_NS || !evidence.is_thousandths(ns, LEAST_LOCK_THOUSANDTHS) {
        return None;
    }
    Some(Finding {
        rule: Rule::Lock,
        severity: Severity::of_share(ns, evidence.duration_ns()),
        cost_ns: ns,
        size: calls,
        evidence: format!(
            "{} found it taken and waited {}",
            text::counted(calls, "call", "calls"),
            evidence.of_run(ns),
        ),
        place,
    })
}

/// The oldest call of a process that was under way when it was ended from outside; one that waits for a lock, also where it
/// ended by itself.
fn stuck(evidence: &Evidence<'_>, process: &Process) -> Option<Finding> {
    let is_cut_off = matches!(process.end.how, EndKind::Signaled | EndKind::Running);
    let waits_for_lock = |call: &InFlight| Known::from_name(&call.function).is_some_and(is_lock);
    let calls = process.in_flight.iter();
    let calls = calls.filter(|call| is_no_rest(call) && (is_cut_off || waits_for_lock(call)));
    // The first of the oldest, as in the list of calls in flight.
    let call = calls.min_by_key(|call| Reverse(call.age_ns))?;
    let age_ns = call.age_ns?;
    let whole = u128::from(process.duration_ns) * u128::from(LEAST_STUCK_THOUSANDTHS);
    if age_ns < LEAST_STUCK_NS || u128::from(age_ns) * 1000 < whole {
        return None;
    }
    let file = call.file.as_deref().or(call.kind.as_deref());
    let of = match (file, call.fd) {
        (Some(file), _) => format!(" ({file})"),
        (None, Some(fd)) => format!(" of descriptor {fd}"),
        (None, None) => String::new(),
    };
    Some(Finding {
        rule: Rule::Stuck,
        severity: Severity::High,
        cost_ns: age_ns,
        size: 1,
        evidence: format!(
            "{}{of} of process {}, thread {}, was under way for {} and had not returned{}",
            call.function,
            process.pid,
            call.tid,
            units::time(age_ns),
            looks::in_brackets(call.looks),
        ),
        place: evidence.place_of_call(process, call),
    })
}

/// Whether a call in flight is none in which programs rest: they wait for events, requests, terminals and pipes for as long as they
/// have nothing to do.
fn is_no_rest(call: &InFlight) -> bool {
    let Some(known) = Known::from_name(&call.function) else {
        return false;
    };
    let kind = call.kind.as_deref().unwrap_or_default();
    let file = call.file.as_deref().unwrap_or_default();
    match known.row().role {
        Role::Connect | Role::Sync => true,
        Role::Lock => is_lock(known),
        Role::Read | Role::Write | Role::Move => kind == "file" || is_asked(kind, file),
        _ => false,
    }
}
