//! The conditions that the manual names, from the thresholds.

use super::*;
use crate::report::findings::{failures::*, files::*, memory::*, waits::*};
use crate::units;

#[test]
fn the_manual_has_the_thresholds() {
    let manual = include_str!("../../../../../../docs/findings.md");
    let row = |rule: Rule| {
        let title = rule.title();
        let mut rows = manual.lines().filter(|line| line.starts_with("| "));
        let is_it = |line: &&str| {
            line.split(" | ")
                .next()
                .is_some_and(|head| head.contains(title))
        };
        rows.find(is_it)
            .unwrap_or_else(|| panic!("no row of '{title}'"))
    };
    let (bytes, time, count) = (units::bytes, units::time, units::count);
    let thousandths = |number: u64| format!("{number} thousandth");
    let percent = |number: u128| format!("{number} %");
    let calls = |number: u64| format!("{} calls", count(number));
    let expected = [
        (
            Rule::Leak,
            vec![
                time(LEAST_LEAK_RUN_NS),
                bytes(LEAST_LEAK_BYTES),
                percent(LEAST_LATE_PERCENT),
                format!("{LEAST_LEAK_SAMPLES} times"),
                bytes(GRAVE_LEAK_BYTES),
            ],
        ),
        (
            Rule::Temporaries,
            vec![
                count(LEAST_TEMPORARIES),
                percent(LEAST_TEMPORARY_PERCENT),
                time(LEAST_TEMPORARY_NS),
                thousandths(LEAST_TEMPORARY_THOUSANDTHS),
            ],
        ),
        (
            Rule::TinyWrites,
            vec![
                calls(LEAST_TINY_CALLS),
                bytes(MOST_TINY_BYTES),
                calls(LEAST_TINY_MESSAGES),
                bytes(MOST_TINY_MESSAGE_BYTES),
                format!("{LEAST_OF_ONE_WAY} times"),
                thousandths(LEAST_TINY_THOUSANDTHS),
            ],
        ),
        (Rule::TinyReads, vec![]),
        (
            Rule::Sync,
            vec![
                calls(LEAST_SYNCS),
                bytes(MOST_SYNCED_BYTES),
                format!("at least {LEAST_SLOW_SYNCS} that"),
                thousandths(LEAST_SYNC_THOUSANDTHS),
            ],
        ),
        (
            Rule::RandomReads,
            vec![
                format!("{} reads", count(LEAST_RANDOM)),
                calls(LEAST_RANDOM),
                percent(LEAST_RANDOM_PERCENT),
                bytes(MOST_RANDOM_BYTES),
                thousandths(LEAST_RANDOM_THOUSANDTHS),
            ],
        ),
        (Rule::Reopened, vec![count(LEAST_OPENS), KERNELS.join(", ")]),
        (
            Rule::Peer,
            vec![time(LEAST_PEER_NS), thousandths(LEAST_PEER_THOUSANDTHS)],
        ),
        (
            Rule::Lock,
            vec![time(LEAST_LOCK_NS), thousandths(LEAST_LOCK_THOUSANDTHS)],
        ),
        (
            Rule::Stuck,
            vec![time(LEAST_STUCK_NS), thousandths(LEAST_STUCK_THOUSANDTHS)],
        ),
        (
            Rule::FailedLookups,
            vec![
                calls(LEAST_FAILED),
                percent(LEAST_FAILED_PERCENT),
                thousandths(LEAST_FAILED_THOUSANDTHS),
            ],
        ),
        (
            Rule::Descriptors,
            vec![count(LEAST_OPEN), percent(LEAST_OPEN_PERCENT)],
        ),
    ];
    for (rule, conditions) in expected {
        let row = row(rule);
        for condition in conditions {
            assert!(
                row.contains(&condition),
                "{rule:?}: '{condition}' in: {row}"
            );
        }
    }
}
