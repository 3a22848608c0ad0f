//! Call stacks of samples: estimates that are not biased, and nothing where nothing is worth it.

use std::collections::BTreeMap;

use weir_report::model::{Process, Site};

use crate::live_blocks::by_function;
use crate::support::{Mode, Program, victim};

const SAMPLED: &str = "sampled:64K";
const MEAN_BYTES: f64 = 65536.0;
/// How often the victim runs.
const RUNS: usize = 12;

/// Estimates of one sum, and what it is.
#[derive(Default)]
struct Sum {
    truth: f64,
    estimates: Vec<f64>,
}

/// Every estimate is within five standard errors, and so is the mean of all runs, which a bias would move. A right estimate fails
/// once in some hundred thousand runs of the test.
#[test]
fn estimates_are_right_on_average() {
    let mut sums: BTreeMap<(String, String), Sum> = BTreeMap::new();
    for run in 0..RUNS {
        let mode = Mode::MEASURED[run % Mode::MEASURED.len()];
        let program = Program::new(victim("sampled_sites")).env("WEIR_STACKS", SAMPLED);
        let outcome = program.run(mode).expect_status(0);
        let process = outcome.process();
        let stacks = process.stacks.as_ref().expect("stacks");
        assert_eq!(stacks.sampled_bytes, Some(65536));
        let mut known = BTreeMap::new();
        for line in outcome.text().lines() {
            let mut words = line.split(' ');
            let mut word = || words.next().expect("three words");
            let (metric, site, truth) = (word(), word(), word());
            let estimates = known
                .entry(metric.to_owned())
                .or_insert_with(|| by_function(&outcome.reports[0], process.pid, metric));
            let sum = sums.entry((metric.to_owned(), site.to_owned()));
            let sum = sum.or_default();
            sum.truth = truth.parse().expect("a number");
            let estimate = estimates.get(site).copied().unwrap_or(0);
            sum.estimates.push(estimate as f64);
        }
        let gone = ["small", "middle", "large", "passed", "first"];
        for site in gone {
            assert_eq!(known["live"].get(site), None, "{site}");
        }
        for site in ["kept", "passed", "grown"] {
            assert_eq!(known["temporary"].get(site), None, "{site}");
        }
    }
    assert_eq!(sums.len(), 17);
    for ((metric, site), sum) in &sums {
        let bytes = match (metric.as_str(), site.as_str()) {
            ("bytes" | "live", _) => sum.truth,
            _ => sum.truth * size_of_block(site),
        };
        let error = sum.truth * (MEAN_BYTES / bytes).sqrt();
        for estimate in &sum.estimates {
            let off = (estimate - sum.truth).abs() / error;
            assert!(
                off < 5.0,
                "{metric} of {site}: {estimate} for {}",
                sum.truth
            );
        }
        let mean = sum.estimates.iter().sum::<f64>() / RUNS as f64;
        let off = (mean - sum.truth).abs() / error * (RUNS as f64).sqrt();
        assert!(off < 5.0, "{metric} of {site}: {mean} for {}", sum.truth);
        // A test that could not fail would be none.
        assert!(error < sum.truth / 4.0, "{metric} of {site}: {error}");
    }
}

fn size_of_block(site: &str) -> f64 {
    match site {
        "small" => 100.0,
        "middle" => 5000.0,
        "large" => 300_000.0,
        "kept" => 250.0,
        "passed" => 700.0,
        _ => 3000.0,
    }
}

fn sites(process: &Process) -> &[Site] {
    process.stacks.as_ref().map_or(&[], |stacks| &stacks.sites)
}

/// A program that makes few calls, and none that takes long, has no sites; the first call that takes long has one, and all
/// that follow.
#[test]
fn stacks_begin_with_what_is_worth_one() {
    for mode in Mode::MEASURED {
        let run = |calls: &str, sleeps: &str| {
            let program = Program::new(victim("reads_and_waits"))
                .args([calls, sleeps])
                .env("WEIR_STACKS", "sampled");
            program.run(mode).expect_status(0)
        };
        let outcome = run("20", "0");
        assert_eq!(outcome.process().stacks, None, "{mode:?}");

        let outcome = run("20", "1");
        let waits = sites(outcome.process())
            .iter()
            .find(|site| site.function == "poll");
        assert!(waits.is_some_and(|site| site.calls == 1 && site.time_ns > 10_000_000));

        let outcome = run("5000", "0");
        let calls = outcome.process().functions["read"].calls;
        let known = sites(outcome.process()).iter();
        let known: u64 = known
            .filter(|site| site.function == "read")
            .map(|site| site.calls)
            .sum();
        assert!(
            (calls - 1001..=calls).contains(&known),
            "{known} of {calls}"
        );
    }
}
