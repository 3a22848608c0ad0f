//! How long blocks lived, and when those were made that are live, beside what the program says of itself.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use weir_report::model::{Lifetimes, Report};

use crate::support::{Mode, Program, scratch, succeed, victim, weir};

/// The lifetimes by the function that called the allocator.
fn by_function(report: &Report) -> BTreeMap<String, Lifetimes> {
    let folder = scratch();
    let (file, named) = (
        folder.path().join("report.json"),
        folder.path().join("named.json"),
    );
    fs::write(&file, serde_json::to_vec(report).expect("JSON")).expect("a file");
    let mut command = Command::new(weir::command());
    command.arg("symbolize").arg("--out").arg(&named).arg(&file);
    succeed(&mut command, b"");
    let named: Report = serde_json::from_slice(&fs::read(&named).expect("a file")).expect("JSON");
    let stacks = named.processes[0]
        .stacks
        .as_ref()
        .expect("stacks were taken");
    let mut found: BTreeMap<String, Lifetimes> = BTreeMap::new();
    for site in &stacks.sites {
        let (Some(lifetimes), Some(frame)) = (&site.lifetimes, site.frame) else {
            continue;
        };
        let frame = stacks.frames[frame as usize];
        let module = &stacks.modules[frame.module.expect("an object") as usize];
        let name = module.names.iter().find(|name| name.offset == frame.offset);
        let name = name.and_then(|name| name.places[0].function.clone());
        found
            .entry(name.unwrap_or_default())
            .or_default()
            .add(lifetimes);
    }
    found
}

fn number(word: Option<&str>) -> u64 {
    word.and_then(|word| word.parse().ok()).expect("a number")
}

/// Each block is where the program says. Where each byte is a sample, so has each block, on the other path.
#[test]
fn each_block_is_reported_with_its_age() {
    let all: &[(&str, &str)] = &[("WEIR_STACKS", "all"), ("WEIR_LIFETIMES", "on")];
    let samples: &[(&str, &str)] = &[("WEIR_STACKS", "sampled:1")];
    for (mode, settings) in [(Mode::Bare, all), (Mode::Run, all), (Mode::Run, samples)] {
        let mut program = Program::new(victim("lifetimes"));
        for (name, value) in settings {
            program = program.env(name, value);
        }
        let outcome = program.run(mode).expect_status(0);
        let text = outcome.text();
        let found = by_function(&outcome.reports[0]);
        assert_eq!(text.lines().count(), 7, "{text}");
        for line in text.lines() {
            let mut words = line.split(' ');
            let site = words.next().expect("a name");
            let of = found
                .get(site)
                .unwrap_or_else(|| panic!("{site}: {found:?}"));
            let live = of.live_since.iter().map(|since| since.bytes).sum::<u64>();
            if words.next() == Some("freed") {
                let class = number(words.next()) as usize;
                let (surely, all) = (number(words.next()), number(words.next()));
                let said = format!("{mode:?} {line}: {of:?}");
                let freed_within = |classes: &[u64]| classes.iter().sum::<u64>();
                assert_eq!((freed_within(&of.freed), live), (all, 0), "{said}");
                assert_eq!(freed_within(&of.freed[..class]), 0, "{said}");
                assert!(of.freed[class] >= surely, "{said}");
                if of.freed[class] == all {
                    let mean_ms = of.freed_total_ns / all / 1_000_000;
                    let means_ms = [0..1, 0..10, 29..100, 100..1000, 1299..10_000];
                    assert!(means_ms[class].contains(&mean_ms), "{said}");
                }
            } else {
                assert_eq!(live, number(words.next()), "{mode:?} {line}: {of:?}");
                let is_early = words.next() == Some("before");
                let mut spans = of.live_since.iter();
                let is_as_said = spans.all(|since| (since.from_ms == 0) == is_early);
                assert!(is_as_said, "{line}: {of:?}");
            }
        }
        // Nothing was made by the calls that failed.
        assert!(!found.contains_key("stays"), "{found:?}");
    }
}

/// They cost a look at the clock at each call: where all have stacks, they are recorded if that is asked for.
#[test]
fn all_blocks_have_ages_only_if_asked_for() {
    let program = Program::new(victim("lifetimes")).env("WEIR_STACKS", "all");
    let outcome = program.run(Mode::Run).expect_status(0);
    assert!(by_function(&outcome.reports[0]).is_empty());
}
