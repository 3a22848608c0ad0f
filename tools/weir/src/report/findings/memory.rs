//! Blocks that are never freed, and blocks that hardly live.

use std::collections::BTreeSet;

use weir_report::model::Site;

use super::evidence::{Evidence, Placed};
use super::{Finding, Rule, Severity};
use crate::cli::Group;
use crate::{text, units};

/// A place leaks at least so much.
pub const LEAST_LEAK_BYTES: u64 = 1 << 20;
/// Or so many times the mean distance of samples, where blocks are sampled.
pub const LEAST_LEAK_SAMPLES: u64 = 4;
/// What was made in the last three quarters of the run, and is live, is at least so much of the place's live bytes, in
/// percent.
pub const LEAST_LATE_PERCENT: u128 = 40;
/// A run that is shorter is not judged.
pub const LEAST_LEAK_RUN_NS: u64 = 2_000_000_000;
/// From so much on it is grave.
pub const GRAVE_LEAK_BYTES: u64 = 64 << 20;

/// A place makes at least so many blocks that live less than a millisecond.
pub const LEAST_TEMPORARIES: u64 = 100_000;
/// And these are so much of its blocks, in percent.
pub const LEAST_TEMPORARY_PERCENT: u128 = 80;
/// And making and freeing them takes so long.
pub const LEAST_TEMPORARY_NS: u64 = 50_000_000;
/// And so many thousandths of the run.
pub const LEAST_TEMPORARY_THOUSANDTHS: u64 = 50;

pub fn find(evidence: &Evidence<'_>, findings: &mut Vec<Finding>) {
    let allocations = |site: &Site| Group::of(&site.function) == Group::Allocation;
    let places = evidence.places(allocations);
    findings.extend(
        { &places }
            .iter()
            .filter_map(|placed| leak(evidence, placed)),
    );
    findings.extend(
        { &places }
            .iter()
            .filter_map(|placed| storm(evidence, placed)),
    );
}

/// What a place has made all through the run and not freed.
fn leak(evidence: &Evidence<'_>, placed: &Placed<'_>) -> Option<Finding> {
    if evidence.subject.heap.not_known.is_some() || evidence.duration_ns() < LEAST_LEAK_RUN_NS {
        return None;
    }
    let live = placed.sum(|site| site.blocks.unwrap_or_default().live_bytes);
    let blocks = placed.sum(|site| site.blocks.unwrap_or_default().live);
    let sampled = evidence.sampled_bytes();
    let least = LEAST_LEAK_BYTES.max(sampled.unwrap_or(0).saturating_mul(LEAST_LEAK_SAMPLES));
    // Spans that begin in the first quarter are long, and say nothing of the rest.
    let quarter_ms = evidence.duration_ns() / 4_000_000;
    let late = placed.sum(|site| {
        let spans = site.lifetimes.iter().flat_map(|of| &of.live_since);
        let late = spans.filter(|span| span.from_ms >= quarter_ms);
        late.fold(0, |sum, span| sum.saturating_add(span.bytes))
    });
    if live < least || u128::from(late) * 100 < u128::from(live) * LEAST_LATE_PERCENT {
        return None;
    }
    let severity = match live {
        GRAVE_LEAK_BYTES.. => Severity::High,
        _ => Severity::Medium,
    };
    let about = if sampled.is_some() { "≈" } else { "" };
    Some(Finding {
        rule: Rule::Leak,
        severity,
        cost_ns: 0,
        size: live,
        evidence: format!(
            "{about}{} in {about}{} were made all through the run and never freed",
            units::bytes(live),
            text::counted(blocks, "block", "blocks"),
        ),
        place: evidence.name_of(placed),
    })
}

/// What a place has made and freed at once, again and again.
fn storm(evidence: &Evidence<'_>, placed: &Placed<'_>) -> Option<Finding> {
    // An estimate may be more than all calls that there were.
    let functions: BTreeSet<&str> = { &placed.sites }
        .iter()
        .map(|site| site.function.as_str())
        .collect();
    let called = |name: &str| evidence.function(name).map_or(0, |of| of.calls);
    let most = { functions.iter() }.fold(0, |sum: u64, name| sum.saturating_add(called(name)));
    let calls = |site: &Site| site.calls.min(called(&site.function));
    let blocks = placed.sum(calls).min(most);
    let short = placed.sum(|site| site.lifetimes.as_ref().map_or(0, |of| of.freed[0]));
    let short = short.min(blocks);
    if short < LEAST_TEMPORARIES
        || u128::from(short) * 100 < u128::from(blocks) * LEAST_TEMPORARY_PERCENT
    {
        return None;
    }
    let mean = |name| {
        let latency = evidence.function(name).and_then(|of| of.latency.as_ref());
        latency.map_or(0, |latency| latency.mean_ns)
    };
    let made = placed.sites.iter().map(|site| {
        let each = mean(&site.function).saturating_add(mean("free"));
        each.saturating_mul(calls(site))
    });
    // Means are of a sample, and a call takes longer while it is timed.
    let cost_ns = made.fold(0, u64::saturating_add);
    let cost_ns = cost_ns.min(evidence.duration_ns());
    if cost_ns < LEAST_TEMPORARY_NS
        || !evidence.is_thousandths(cost_ns, LEAST_TEMPORARY_THOUSANDTHS)
    {
        return None;
    }
    let about = match evidence.sampled_bytes() {
        Some(_) => "≈",
        None => "",
    };
    Some(Finding {
        rule: Rule::Temporaries,
        severity: Severity::of_share(cost_ns, evidence.duration_ns()),
        cost_ns,
        size: short,
        evidence: format!(
            "{about}{} of {about}{} lived less than 1 ms; that took ≈{}",
            units::count(short),
            text::counted(blocks, "block", "blocks"),
            evidence.of_run(cost_ns),
        ),
        place: evidence.name_of(placed),
    })
}
