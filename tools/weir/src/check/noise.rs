//! Budgets of whatever content: those that people might write, and then damaged. Each is refused in one line that says where, or it is
//! judged, and can be lowered.

use std::path::Path;
use std::time::{Duration, Instant};

use super::budget::{self, Budget, Limit};
use super::quantity::Quantity;
use super::{judged, update};
use crate::sample;
use crate::units::Unit;

/// Each seed is as many budgets as come out of this time, and at least [`FEWEST`].
const TIME: Duration = Duration::from_millis(500);
const FEWEST: usize = 200;
const SEEDS: u64 = 4;

/// Knuth's 64-bit linear congruential generator (MMIX): the budgets of a seed are the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    fn one_of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }
}

const METRICS: [&str; 19] = [
    "heap.peak_bytes",
    "heap.live_bytes",
    "duration",
    "processes",
    "leak_bytes",
    "functions.malloc.calls",
    "functions.openat.errors.ENOENT",
    "functions.read.latency.p99",
    "functions.write.moved_bytes",
    "files.opens",
    "files.read_bytes",
    "missed.uncounted_calls",
    "usage.resident_bytes",
    "usage.cpu",
    "usage.major_faults",
    "functions..calls",
    "functions.malloc",
    "",
    "ü.\\u0000.\\\"",
];

const VALUES: [&str; 24] = [
    "0",
    "120000",
    "120_000",
    "1_",
    "-1",
    "1.5",
    "nan",
    "9223372036854775807",
    "9223372036854775808",
    "0x10",
    "true",
    "1979-05-27",
    "[1]",
    "{ a = 1 }",
    "\"64MiB\"",
    "\"64 MiB\"",
    "'1e9GB'",
    "\"5ms\"",
    "\"999999999999min\"",
    "\"\"",
    "\"\"\"\n7\"\"\"",
    "\"7 äpfel\"",
    "\"..KiB\"",
    "\"_1B\"",
];

/// Keys of a limit, some of them wrong, with what might be their values.
fn entry(random: &mut Random) -> String {
    let key = [
        "metric",
        "max",
        "increase",
        "per",
        "file",
        "ignore",
        "min_samples",
        "maximum",
    ];
    match random.one_of(&key) {
        "metric" => format!("metric = \"{}\"", random.one_of(&METRICS)),
        "increase" => {
            let values = ["\"2%\"", "\"0.5 %\"", "\"-1%\"", "\"%\"", "2", "\"1e400%\""];
            format!("increase = {}", random.one_of(&values))
        }
        "per" => {
            let values = ["report", "process", "file", "site", "Site", ""];
            format!("per = \"{}\"", random.one_of(&values))
        }
        "file" => {
            let values = ["/etc/**", "*", "[", "", "\\\\"];
            format!("file = \"{}\"", random.one_of(&values))
        }
        "ignore" => {
            let values = [
                "[]",
                "[\"libfoo.so!*\"]",
                "[\"\"]",
                "\"x\"",
                "[\"a!b!c\", '*']",
            ];
            format!("ignore = {}", random.one_of(&values))
        }
        key => format!("{key} = {}", random.one_of(&VALUES)),
    }
}

/// A budget of a few tables, mostly one that can be read.
fn written(random: &mut Random) -> String {
    let mut lines = Vec::new();
    if random.below(3) == 0 {
        let names = [
            "\"untraced\"",
            "\"untraced\", 'dropped'",
            "\"noise\"",
            "1",
            "",
        ];
        lines.push(format!("accept = [{}]", random.one_of(&names)));
    }
    if random.below(2) == 0 {
        lines.push("[default]".to_owned());
        for _ in 0..random.below(4) {
            let (metric, value) = (random.one_of(&METRICS), random.one_of(&VALUES));
            let quote = random.one_of(&["", "", "\""]);
            lines.push(format!("{quote}{metric}{quote} = {value}"));
        }
    }
    for _ in 0..random.below(4) {
        lines.push("[[limit]]".to_owned());
        lines.push(format!("metric = \"{}\"", random.one_of(&METRICS[..15])));
        lines.push(format!("max = {}", random.one_of(&VALUES)));
        for _ in 0..random.below(3) {
            lines.push(entry(random));
        }
    }
    for line in &mut lines {
        if random.below(4) == 0 {
            line.push_str(random.one_of(&["  # why", "\t#", "\r", "\n"]));
        }
    }
    lines.join("\n") + "\n"
}

/// A text that somebody has cut, doubled or mixed up.
fn damaged(text: &str, random: &mut Random) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    for _ in 0..random.below(4) {
        let at = random.below(characters.len() + 1);
        let to = (at + random.below(12)).min(characters.len());
        match random.below(5) {
            0 => drop(characters.drain(at..to)),
            1 => characters.truncate(at),
            2 => {
                let part: Vec<char> = characters[at..to].to_vec();
                characters.splice(at..at, part);
            }
            3 => {
                let part = [
                    "\"", "]", "[", "=", ".", "\0", "'''", "{", "\u{feff}", "🦀", "\n[",
                ];
                let part = random.one_of(&part).chars();
                characters.splice(at..at, part);
            }
            _ => {
                let deep = ["a.", "[", "{a="];
                let part = random.one_of(&deep).repeat(1 << random.below(12));
                characters.splice(at..at, part.chars());
            }
        }
    }
    characters.into_iter().collect()
}

/// The number that a limit allows, whatever it is of.
fn most(limit: &Limit) -> Option<i128> {
    let of = |max: Quantity| {
        let units = [Unit::Count, Unit::Bytes, Unit::Time].into_iter();
        units.filter_map(|unit| max.of(unit).ok()).next()
    };
    limit.max.and_then(of)
}

/// Whether the text is a budget.
fn is_read(text: &str) -> bool {
    let lines = 1 + text.matches('\n').count();
    let path = Path::new("weir.toml");
    let budget = match Budget::parse(text) {
        Ok(budget) => budget,
        Err((line, message)) => {
            assert!((1..=lines).contains(&line), "line {line}: {message}");
            assert!(!message.trim().is_empty());
            let found = budget::wrong(path, line, &message).to_string();
            assert_eq!(found.lines().count(), 1, "{found}");
            return false;
        }
    };
    assert!(!budget.limits.is_empty());
    assert!(budget.limits.is_sorted_by_key(|limit| limit.line));
    for limit in &budget.limits {
        assert!((1..=lines).contains(&limit.line), "{limit:?}");
        assert!(limit.max.is_some() || limit.increase.is_some(), "{limit:?}");
    }
    let report = sample::report();
    for baseline in [None, Some(&report)] {
        let judged = match judged(path, &budget, &report, baseline) {
            Ok(judged) => judged,
            Err(refused) => {
                assert_eq!(refused.to_string().lines().count(), 1, "{refused}");
                continue;
            }
        };
        assert_eq!(judged.len(), budget.limits.len());
        // What it is lowered to is a budget with the same limits, none of them higher, and with all that is said beside them.
        let (text, lowered) = update::lowered(&budget.text, &judged).expect("TOML");
        let again = Budget::parse(&text).unwrap_or_else(|error| panic!("{error:?} in {text}"));
        assert_eq!(again.limits.len(), budget.limits.len(), "{text}");
        for (one, other) in budget.limits.iter().zip(&again.limits) {
            assert_eq!(one.metric, other.metric, "{text}");
            assert!(most(other) <= most(one), "{text}");
        }
        let comments = |text: &str| text.matches("# why").count();
        assert_eq!(comments(&text), comments(&budget.text));
        assert_eq!(text == budget.text, lowered.is_empty(), "{text}");
    }
    true
}

#[test]
fn whatever_is_written_is_a_budget_or_refused() {
    for seed in 0..SEEDS {
        let mut random = Random(seed);
        let begin = Instant::now();
        let (mut read, mut all) = (0, 0);
        while all < FEWEST || begin.elapsed() < TIME {
            let text = written(&mut random);
            let text = match all % 2 {
                0 => text,
                _ => damaged(&text, &mut random),
            };
            let result = std::panic::catch_unwind(|| is_read(&text));
            read += usize::from(result.unwrap_or_else(|_| panic!("seed {seed}:\n{text}")));
            all += 1;
        }
        // Else only refusals were tried.
        assert!(read * 50 > all, "seed {seed}: {read} of {all}");
    }
}
