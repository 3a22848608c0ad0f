//! Why the numbers of two sides may differ though the programs do not.

use std::collections::BTreeSet;

use weir_report::model::Report;

use super::compare::Comparison;
use super::{Run, Sides};
use crate::report::ending;
use crate::report::loss::{self, About};
use crate::report::taken::{self, Taken};
use crate::{text, units};

/// What should be the same, and how a report has it.
type Setting = (&'static str, fn(&Report) -> String);

/// A sentence for each reason.
pub fn remarks(sides: &Sides, comparison: &Comparison) -> Vec<String> {
    let mut remarks = comparison.not_compared.clone();
    let settings: [Setting; 7] = [
        (
            "versions of Weir, which do not count the same functions",
            |report| report.weir_version.clone(),
        ),
        ("programs", |report| {
            let name = report
                .command
                .first()
                .map_or("", |program| text::file_name(program));
            name.to_owned()
        }),
        ("ends", |report| ending(&report.end)),
        ("numbers of runs", |report| units::count(report.runs)),
        ("timed calls", timed),
        ("call stacks", stacks),
        ("modes", mode),
    ];
    for (what, of) in settings {
        let [before, after] = [&sides.before, &sides.after].map(|side| {
            let values = side.iter().map(|run| of(&run.report));
            let values: BTreeSet<String> = values.filter(|value| !value.is_empty()).collect();
            Vec::from_iter(values)
        });
        let is_known = !before.is_empty() && !after.is_empty();
        if is_known && (before != after || before.len() > 1) {
            let (before, after) = (text::list(&before), text::list(&after));
            remarks.push(format!("different {what}: {before} before, {after} after"));
        }
    }
    for (side, runs) in sides.both() {
        let commands: BTreeSet<&[String]> = runs
            .iter()
            .map(|run| run.report.command.as_slice())
            .collect();
        if commands.len() > 1 {
            remarks.push(format!(
                "{side}: {} different command lines",
                commands.len()
            ));
        }
    }
    let of_sides = sides.both().map(|(side, runs)| {
        let of_runs = runs.iter().flat_map(|run| {
            let name = name(side, run, runs.len());
            shortcomings(&run.report)
                .into_iter()
                .map(move |sentence| (name.clone(), sentence))
        });
        Vec::from_iter(of_runs)
    });
    let is_everywhere = |sentence: &str| {
        let mut runs = sides.before.iter().chain(&sides.after);
        runs.all(|run| shortcomings(&run.report).iter().any(|one| one == sentence))
    };
    let mut said = BTreeSet::new();
    for (name, sentence) in of_sides.into_iter().flatten() {
        match is_everywhere(&sentence) {
            true if said.insert(sentence.clone()) => remarks.push(format!("both: {sentence}")),
            true => {}
            false => remarks.push(format!("{name}: {sentence}")),
        }
    }
    remarks
}

/// Why numbers of a report may be too small, a sentence each.
fn shortcomings(report: &Report) -> Vec<String> {
    let losses = loss::suffered(&report.missed, About::All).into_iter();
    let mut sentences: Vec<String> = losses.map(|(_, sentence)| sentence).collect();
    if let Some(reason) = &report.heap.not_known {
        sentences.push(format!("the heap is not known: {reason}"));
    }
    let processes = taken::of_each(&report.processes);
    if Taken::by_all(&processes).is_some() {
        let unread = taken::not_read(taken::unread(&processes));
        sentences.extend(unread.map(|(_, sentence)| sentence));
    }
    if report.files.folded > 0 {
        let files = text::counted(report.files.folded, "file is", "files are");
        sentences.push(format!("{files} not listed by name"));
    }
    sentences
}

/// `before`, or `before (2.json)` where there are several.
pub fn name(side: &str, run: &Run, runs: usize) -> String {
    match runs {
        1 => side.to_owned(),
        _ => format!("{side} ({})", run.file.display()),
    }
}

/// Which calls have a call stack; nothing where that is not known: a short program may have no sample.
fn stacks(report: &Report) -> String {
    let mut stacks = report
        .processes
        .iter()
        .filter_map(|process| process.stacks.as_ref());
    match stacks.next().map(|stacks| stacks.sampled_bytes) {
        None => String::new(),
        Some(None) => "of all calls".to_owned(),
        Some(Some(distance)) => format!("of a sample in {}", units::bytes(distance)),
    }
}

/// Of how many allocation calls one was timed.
fn timed(report: &Report) -> String {
    match report.timed_one_in {
        0 => "none".to_owned(),
        1 => "all".to_owned(),
        calls => format!("one in {}", units::count(u64::from(calls))),
    }
}

/// `--coop` asks the kernel before calls that may block, and that takes time.
fn mode(report: &Report) -> String {
    let has_parts = report
        .functions
        .values()
        .any(|function| function.parts.is_some());
    match has_parts {
        true => "with --coop or coroutines".to_owned(),
        false => "without --coop".to_owned(),
    }
}
