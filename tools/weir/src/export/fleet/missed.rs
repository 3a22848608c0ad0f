//! What was not observed, a row for each fact: zeros are left out.

use std::collections::HashSet;

use parquet::errors::Result;
use weir_report::model::{IoUringSeen, Missed, Process, Report, Untraced};

use super::run::{Image, Run};
use super::writer::{Cell, Writer};
use crate::export::columns::Column;

/// The columns.
pub const MISSED: [Column; 7] = [
    Column::text("run"),
    Column::number("pid").optional(),
    Column::number("image").optional(),
    Column::text("what"),
    Column::text("name").optional(),
    Column::text("reason").optional(),
    Column::number("n"),
];

/// A fact: what it is, of which function or program, why, and how often.
struct Fact<'a> {
    what: &'static str,
    name: Option<&'a str>,
    reason: Option<&'a str>,
    n: u64,
}

impl<'a> Fact<'a> {
    fn count(what: &'static str, n: u64) -> Fact<'a> {
        Fact {
            what,
            name: None,
            reason: None,
            n,
        }
    }

    fn because(what: &'static str, reason: &'a str, n: u64) -> Fact<'a> {
        Fact {
            reason: Some(reason),
            ..Fact::count(what, n)
        }
    }

    fn named(what: &'static str, name: &'a str, reason: Option<&'a str>) -> Fact<'a> {
        Fact {
            name: Some(name),
            reason,
            ..Fact::count(what, 1)
        }
    }
}

/// The facts of each image, and those that are of the run and of no image: `n` of all of them is what the report has.
pub fn missed(run: &Run<'_>, to: &mut Writer) -> Result<()> {
    let mut write = |image: Option<Image<'_>>, fact: Fact<'_>| {
        let of = image.map(|image| run.of_image(image));
        to.row([
            Cell::Text(&run.name),
            of.map_or(Cell::Nothing, |[_, pid, _]| pid),
            of.map_or(Cell::Nothing, |[_, _, image]| image),
            Cell::Text(fact.what),
            fact.name.into(),
            fact.reason.into(),
            fact.n.into(),
        ])
    };
    for fact in of_no_image(run.report) {
        write(None, fact)?;
    }
    for &image in &run.images {
        for fact in of_image(image.process) {
            write(Some(image), fact)?;
        }
    }
    Ok(())
}

fn counts(of: &Missed) -> [(&'static str, u64); 7] {
    [
        ("dropped_samples", of.dropped_samples),
        ("reentrant_calls", of.reentrant_calls),
        ("untimed_calls", of.untimed_calls),
        ("uncounted_calls", of.uncounted_calls),
        ("unlisted_errnos", of.unlisted_errnos),
        ("threads_without_slot", of.threads_without_slot),
        ("unlisted_starts", of.unlisted_starts),
    ]
}

fn of_image(process: &Process) -> Vec<Fact<'_>> {
    let missed = &process.missed;
    let mut facts: Vec<Fact<'_>> = counts(missed).map(|(what, n)| Fact::count(what, n)).into();
    facts.extend(
        missed
            .not_interposed
            .iter()
            .map(|name| not_interposed(name)),
    );
    facts.extend(missed.untraced.iter().map(untraced));
    if let Some(uring) = &missed.io_uring {
        let seen = match uring.seen {
            IoUringSeen::Loaded => "loaded",
            IoUringSeen::AskedFor => "asked_for",
            IoUringSeen::Used => "used",
        };
        facts.push(Fact {
            name: uring.library.as_deref(),
            ..Fact::because("io_uring", seen, process.stands_for())
        });
    }
    let notes = process.notes();
    facts.extend(notes.map(|(note, n)| Fact::because("notes", note, n)));
    if let Some(reason) = &process.heap.not_known {
        facts.push(Fact::because(
            "heap_not_known",
            reason,
            process.stands_for(),
        ));
    }
    if let Some(stacks) = &process.stacks {
        let ended = stacks.ended.iter();
        facts.extend(ended.map(|(reason, &n)| Fact::because("stacks_ended", reason, n)));
        facts.push(Fact::count("untracked_blocks", stacks.untracked_blocks));
        facts.push(Fact::count("untracked_frees", stacks.untracked_frees));
    }
    facts.retain(|fact| fact.n > 0);
    facts
}

/// What the report has beyond its images.
fn of_no_image(report: &Report) -> Vec<Fact<'_>> {
    let images = || report.processes.iter().map(|process| &process.missed);
    let mut sums = counts(&Missed::default()).map(|(_, n)| n);
    for missed in images() {
        for (sum, (_, n)) in sums.iter_mut().zip(counts(missed)) {
            *sum = sum.saturating_add(n);
        }
    }
    let whole = counts(&report.missed).into_iter().zip(sums);
    let mut facts: Vec<Fact<'_>> = whole
        .map(|((what, n), sum)| Fact::count(what, n.saturating_sub(sum)))
        .filter(|fact| fact.n > 0)
        .collect();
    let known: HashSet<&String> = images().flat_map(|missed| &missed.not_interposed).collect();
    let names = report.missed.not_interposed.iter();
    facts.extend(
        names
            .filter(|name| !known.contains(name))
            .map(|name| not_interposed(name)),
    );
    let known: HashSet<(u32, &str)> = images()
        .flat_map(|missed| &missed.untraced)
        .map(|of| (of.pid, &*of.program))
        .collect();
    let programs = report.missed.untraced.iter();
    let others = programs.filter(|of| !known.contains(&(of.pid, &*of.program)));
    facts.extend(others.map(untraced));
    // The report has a note of an image with the process before it, where it is not of all.
    let known: HashSet<&str> = report
        .processes
        .iter()
        .flat_map(Process::notes)
        .map(|(note, _)| note)
        .collect();
    let is_of_image = |note: &str| {
        let own = note.split_once(": ").map(|(_, own)| own);
        known.contains(note) || own.is_some_and(|own| known.contains(own))
    };
    let notes = report.missed.notes.iter();
    let others = notes.filter(|note| !is_of_image(note));
    facts.extend(others.map(|note| Fact::because("notes", note, 1)));
    facts
}

fn not_interposed(function: &str) -> Fact<'_> {
    Fact::named("not_interposed", function, None)
}

fn untraced(of: &Untraced) -> Fact<'_> {
    Fact::named("untraced", &of.program, Some(&of.reason))
}
