//! Look-ups of files that are not there, descriptors that stay open.

use weir_record::functions::{Family, Function as Known, Role};
use weir_report::model::Process;

use super::evidence::Evidence;
use super::{Finding, Rule, Severity};
use crate::{text, units};

/// So many look-ups find nothing.
pub const LEAST_FAILED: u64 = 1000;
/// And they are so much of all look-ups, in percent.
pub const LEAST_FAILED_PERCENT: u128 = 50;
/// And they take so many thousandths of the run.
pub const LEAST_FAILED_THOUSANDTHS: u64 = 10;

/// So many descriptors stay open: half of what a process may have, by the usual limit.
pub const LEAST_OPEN: u64 = 512;
/// And they are so much of all that were made, in percent.
pub const LEAST_OPEN_PERCENT: u128 = 50;

/// What puts a descriptor in the place of one that there is.
const REPLACES: [&str; 5] = ["dup2", "__dup2", "dup3", "freopen", "freopen64"];
/// What makes two.
const MAKES_TWO: [&str; 4] = ["pipe", "__pipe", "pipe2", "socketpair"];
/// What closes nobody knows how many.
const CLOSES_MANY: [&str; 3] = ["close_range", "closefrom", "fcloseall"];

pub fn find(evidence: &Evidence<'_>, findings: &mut Vec<Finding>) {
    findings.extend(failed_lookups(evidence));
    for process in evidence.processes() {
        findings.extend(stays_open(evidence, process));
    }
}

fn failed_lookups(evidence: &Evidence<'_>) -> Option<Finding> {
    let (mut calls, mut failed, mut ns) = (0_u64, 0_u64, 0_u64);
    for (_, function) in evidence.functions(is_lookup) {
        let missing = function.errors_by_errno.get("ENOENT").copied();
        let missing = missing.unwrap_or(0);
        calls = calls.saturating_add(function.calls);
        failed = failed.saturating_add(missing);
        let mean = function.latency.as_ref().map_or(0, |of| of.mean_ns);
        ns = ns.saturating_add(mean.saturating_mul(missing));
    }
    if failed < LEAST_FAILED
        || u128::from(failed) * 100 < u128::from(calls) * LEAST_FAILED_PERCENT
        || !evidence.is_thousandths(ns, LEAST_FAILED_THOUSANDTHS)
    {
        return None;
    }
    Some(Finding {
        rule: Rule::FailedLookups,
        severity: Severity::of_share(ns, evidence.duration_ns()),
        cost_ns: ns,
        size: failed,
        evidence: format!(
            "{} of {} by open, stat and the like found nothing (ENOENT); that took ≈{}",
            units::count(failed),
            text::counted(calls, "look-up", "look-ups"),
            evidence.of_run(ns),
        ),
        place: evidence.place_of(is_lookup, |site| site.errors),
    })
}

/// Whether it looks for a file by its name, and makes none.
fn is_lookup(function: Known) -> bool {
    let row = function.row();
    row.path.is_some()
        && matches!(row.role, Role::Open | Role::Query)
        && matches!(row.family, Family::File | Family::Metadata | Family::Stdio)
}

fn stays_open(evidence: &Evidence<'_>, process: &Process) -> Option<Finding> {
    let (mut made, mut closed) = (0_u64, 0_u64);
    for (name, function) in &process.functions {
        let Some(known) = Known::from_name(name) else {
            continue;
        };
        let name = name.as_str();
        let done = function.calls.saturating_sub(function.errors);
        // stdio's own system calls are those of the functions of stdio.
        match known.row().role {
            _ if known.row().family == Family::StdioSystem => {}
            _ if CLOSES_MANY.contains(&name) && done > 0 => return None,
            Role::Open if REPLACES.contains(&name) => {}
            Role::Open if MAKES_TWO.contains(&name) => {
                made = made.saturating_add(done.saturating_mul(2));
            }
            Role::Open | Role::Accept => made = made.saturating_add(done),
            Role::Close => closed = closed.saturating_add(done),
            _ => {}
        }
    }
    let open = made.saturating_sub(closed);
    if open < LEAST_OPEN || u128::from(open) * 100 < u128::from(made) * LEAST_OPEN_PERCENT {
        return None;
    }
    let makes = |known: Known| {
        let row = known.row();
        row.family != Family::StdioSystem && matches!(row.role, Role::Open | Role::Accept)
    };
    Some(Finding {
        rule: Rule::Descriptors,
        severity: Severity::High,
        cost_ns: 0,
        size: open,
        evidence: format!(
            "of {} that process {} made, it closed {}",
            text::counted(made, "descriptor", "descriptors"),
            process.pid,
            units::count(closed),
        ),
        place: evidence.place_of(makes, |site| site.calls),
    })
}
