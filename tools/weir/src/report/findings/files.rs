//! Writes and reads that are too small, too many, or out of order.

use weir_record::functions::{Family, Function as Known, Role};
use weir_report::model::{FileUse, Looks};

use super::super::files::short_name;
use super::super::looks;
use super::evidence::Evidence;
use super::{Finding, Rule, Severity};
use crate::{text, units};

/// So many calls move too little each.
pub const LEAST_TINY_CALLS: u64 = 1000;
/// So many where it is no file: small messages are usual there.
pub const LEAST_TINY_MESSAGES: u64 = 10_000;
/// The most bytes that they move each, on average.
pub const MOST_TINY_BYTES: u64 = 64;
/// The same where it is no file.
pub const MOST_TINY_MESSAGE_BYTES: u64 = 16;
/// And they are so many times those of the other direction.
pub const LEAST_OF_ONE_WAY: u64 = 2;
/// And they take so many thousandths of the run.
pub const LEAST_TINY_THOUSANDTHS: u64 = 5;

/// A file is synced at least so often.
pub const LEAST_SYNCS: u64 = 100;
/// And so little is written for each, in bytes.
pub const MOST_SYNCED_BYTES: u64 = 64 << 10;
/// Or it is synced so often.
pub const LEAST_SLOW_SYNCS: u64 = 20;
/// And that takes so many thousandths of the run.
pub const LEAST_SYNC_THOUSANDTHS: u64 = 50;

/// So many reads and writes of a file are out of order.
pub const LEAST_RANDOM: u64 = 1000;
/// And they are so much of all, in percent.
pub const LEAST_RANDOM_PERCENT: u128 = 60;
/// A read is at most so long, on average.
pub const MOST_RANDOM_BYTES: u64 = 64 << 10;
/// And reading takes so many thousandths of the run.
pub const LEAST_RANDOM_THOUSANDTHS: u64 = 1;

/// A file is opened at least so often.
pub const LEAST_OPENS: u64 = 1000;

/// Files that may be opened often: a kernel's are made anew for each opening.
pub const KERNELS: [&str; 3] = ["/proc/", "/sys/", "/dev/"];

pub fn find(evidence: &Evidence<'_>, findings: &mut Vec<Finding>) {
    for file in evidence.files() {
        findings.extend(tiny(evidence, file, &Moved::written(file)));
        findings.extend(tiny(evidence, file, &Moved::read(file)));
        findings.extend(random(evidence, file));
        findings.extend(reopened(evidence, file));
    }
    findings.extend(syncs(evidence));
}

/// What was moved from or to a file.
struct Moved {
    rule: Rule,
    role: Role,
    /// `write`, `writes`
    words: [&'static str; 2],
    /// `to`
    direction: &'static str,
    calls: u64,
    bytes: u64,
    ns: u64,
    /// The calls of the other direction.
    other: u64,
}

impl Moved {
    fn written(file: &FileUse) -> Moved {
        Moved {
            rule: Rule::TinyWrites,
            role: Role::Write,
            words: ["write", "writes"],
            direction: "to",
            calls: file.writes,
            bytes: file.written_bytes,
            ns: file.write_ns,
            other: file.reads,
        }
    }

    fn read(file: &FileUse) -> Moved {
        Moved {
            rule: Rule::TinyReads,
            role: Role::Read,
            words: ["read", "reads"],
            direction: "from",
            calls: file.reads,
            bytes: file.read_bytes,
            ns: file.read_ns,
            other: file.writes,
        }
    }
}

fn tiny(evidence: &Evidence<'_>, file: &FileUse, moved: &Moved) -> Option<Finding> {
    let (least_calls, most_bytes) = match file.kind.as_str() {
        "file" => (LEAST_TINY_CALLS, MOST_TINY_BYTES),
        // Where there is an answer for each request there is nothing to collect.
        "pipe" | "tcp" | "unix" | "socketpair" if moved.calls / LEAST_OF_ONE_WAY >= moved.other => {
            (LEAST_TINY_MESSAGES, MOST_TINY_MESSAGE_BYTES)
        }
        _ => return None,
    };
    if moved.calls < least_calls
        || moved.bytes > moved.calls.saturating_mul(most_bytes)
        || !evidence.is_thousandths(moved.ns, LEAST_TINY_THOUSANDTHS)
    {
        return None;
    }
    let [one, many] = moved.words;
    Some(Finding {
        rule: moved.rule,
        severity: Severity::of_share(moved.ns, evidence.duration_ns()),
        cost_ns: moved.ns,
        size: moved.calls,
        evidence: format!(
            "{} {} {}, {} each on average, took {}",
            text::counted(moved.calls, one, many),
            moved.direction,
            short_name(file),
            units::bytes(mean(moved.bytes, moved.calls)),
            evidence.of_run(moved.ns),
        ),
        place: evidence.place_at(file, |role| role == moved.role, |part| part.calls),
    })
}

/// The mean, to the nearest whole number: reads of a byte each, of which the last one met the end, moved a byte each.
fn mean(sum: u64, calls: u64) -> u64 {
    let calls = calls.max(1);
    sum.saturating_add(calls / 2) / calls
}

/// The file that was synced most, of all that were.
fn syncs(evidence: &Evidence<'_>) -> Option<Finding> {
    let (mut calls, mut ns, mut timed) = (0_u64, 0_u64, true);
    let looks = Looks::together(evidence.functions(is_sync).filter_map(|(_, of)| of.looks));
    for (_, function) in evidence.functions(is_sync) {
        calls = calls.saturating_add(function.calls);
        match &function.latency {
            Some(latency) => ns = ns.saturating_add(latency.total_ns),
            None => timed = false,
        }
    }
    let is_slow = timed && evidence.is_thousandths(ns, LEAST_SYNC_THOUSANDTHS);
    let synced = most_synced(evidence);
    let each = synced.map(|file| mean(file.written_bytes, calls));
    let is_often = calls >= LEAST_SYNCS && each.is_some_and(|each| each <= MOST_SYNCED_BYTES);
    if !is_often && (calls < LEAST_SLOW_SYNCS || !is_slow) {
        return None;
    }
    let of = match synced {
        Some(file) => format!(" of {}", short_name(file)),
        None => String::new(),
    };
    let written = match each {
        Some(each) => format!("{} written for each, ", units::bytes(each)),
        None => String::new(),
    };
    Some(Finding {
        rule: Rule::Sync,
        severity: Severity::of_share(ns, evidence.duration_ns()),
        cost_ns: ns,
        size: calls,
        evidence: format!(
            "{}{of}, {written}took {}{}",
            text::counted(calls, "sync", "syncs"),
            evidence.of_run(ns),
            looks::in_brackets(looks),
        ),
        place: evidence.place_of(is_sync, |site| site.calls),
    })
}

/// Whether it brings a file to storage.
fn is_sync(function: Known) -> bool {
    let row = function.row();
    row.role == Role::Sync && row.family == Family::File
}

/// The file that most syncs were of: by the call sites, or else by the slowest call of each file.
fn most_synced<'a>(evidence: &Evidence<'a>) -> Option<&'a FileUse> {
    let by_sites = evidence.files_of(is_sync);
    let most = by_sites.into_iter().max_by_key(|&(_, calls)| calls);
    most.map(|(file, _)| file).or_else(|| {
        let slowest = |file: &&FileUse| {
            let function =
                { file.slowest.as_ref() }.and_then(|slow| Known::from_name(&slow.function));
            function.is_some_and(is_sync)
        };
        evidence
            .files()
            .filter(slowest)
            .max_by_key(|file| file.other_calls)
    })
}

fn random(evidence: &Evidence<'_>, file: &FileUse) -> Option<Finding> {
    let placed = u128::from(file.random) + u128::from(file.sequential);
    if file.kind != "file"
        || file.random < LEAST_RANDOM
        || u128::from(file.random) * 100 < placed * LEAST_RANDOM_PERCENT
        || file.reads < LEAST_RANDOM
        || file.read_bytes > file.reads.saturating_mul(MOST_RANDOM_BYTES)
        || !evidence.is_thousandths(file.read_ns, LEAST_RANDOM_THOUSANDTHS)
    {
        return None;
    }
    Some(Finding {
        rule: Rule::RandomReads,
        severity: Severity::of_share(file.read_ns, evidence.duration_ns()),
        cost_ns: file.read_ns,
        size: file.reads,
        evidence: format!(
            "{} from {}, {} each on average, took {}; {} did not begin where the one before ended",
            text::counted(file.reads, "read", "reads"),
            short_name(file),
            units::bytes(mean(file.read_bytes, file.reads)),
            evidence.of_run(file.read_ns),
            units::count(file.random),
        ),
        place: evidence.place_at(file, |role| role == Role::Read, |part| part.calls),
    })
}

fn reopened(evidence: &Evidence<'_>, file: &FileUse) -> Option<Finding> {
    let is_kernels = KERNELS.iter().any(|start| file.name.starts_with(start));
    if file.kind != "file" || file.opens < LEAST_OPENS || is_kernels {
        return None;
    }
    Some(Finding {
        rule: Rule::Reopened,
        severity: Severity::Low,
        cost_ns: 0,
        size: file.opens,
        evidence: format!(
            "{} was opened {} times in {}",
            short_name(file),
            units::count(file.opens),
            units::time(evidence.duration_ns()),
        ),
        // Which call opened it is not known; who reads or writes it is near.
        place: evidence.place_at(file, |_| true, |part| part.calls),
    })
}
