//! What differs, as one page for browsers.
//!
//! ```text
//! timelines   what both sides had of memory, over time
//! call_sites  the stacks of both sides, as one tree
//! page/       what runs in the browser, beside the scripts of all pages
//! ```
//!
//! The page has the document of `weir diff --format json` in it, and each of its numbers beside the words of the text page: which numbers
//! differ is decided in one place, and the page decides nothing.

mod call_sites;
#[cfg(test)]
mod tests;
mod timelines;

use serde::Serialize;

use super::compare::{Change, Comparison};
use super::json::{self, Document};
use super::numbers::Section;
use super::page::{self, Shown};
use super::{Run, Sides};
use crate::failure::Failure;
use crate::html::document::{self, Kind};
use crate::report::ending;
use crate::report::sites::places::Places;
use crate::units;
use call_sites::CallSites;
use timelines::Timeline;

const DIFFERENCE: Kind = Kind {
    commands: ["weir diff --format html", "weir diff"],
    scripts: &[
        include_str!("page/sides.js"),
        include_str!("page/changes.js"),
        include_str!("page/heaps.js"),
        include_str!("page/call_sites.js"),
        include_str!("page/main.js"),
    ],
};

/// All that the page is given. It is no format for other readers, and may change with every version.
#[derive(Debug, Serialize)]
struct Data<'a> {
    /// What the JSON has.
    difference: Document<'a>,
    /// What differs, in a few words.
    outcome: String,
    /// Of each change of the document, in its order, what the text page says.
    changes: Vec<Written>,
    /// The same of its times.
    times: Vec<Written>,
    /// What is to be said of times.
    of_times: String,
    /// The same of what processes took of the machine.
    usage: Vec<Written>,
    of_usage: String,
    /// What is to be said of the totals.
    of_totals: Option<&'static str>,
    /// The sections in which anything differs, in their order.
    sections: Vec<Titles>,
    /// Of the runs of each side, in the document's order.
    runs: [Vec<Facts>; 2],
    /// The same.
    timelines: [Vec<Timeline<'a>>; 2],
    /// Absent where call sites are not compared.
    sites: Option<CallSites>,
}

/// A change, as the text page has it.
#[derive(Debug, Serialize)]
struct Written {
    /// What it is of.
    title: String,
    /// By how much it differs, of numbers that were counted in part at least.
    change: i64,
    #[serde(flatten)]
    shown: Shown,
}

/// What a section is called.
#[derive(Debug, Serialize)]
struct Titles {
    section: Section,
    title: &'static str,
    /// Its first column.
    of: &'static str,
    /// `3 of 25 functions differ`
    parts: String,
}

/// What the document says of a run, for people.
#[derive(Debug, Serialize)]
struct Facts {
    started: String,
    /// How it ended, as the predicate of a sentence.
    ending: String,
    /// Of how many runs the report is the sum.
    runs: u64,
    processes: u64,
}

/// The page, and all that is in it.
pub fn page(
    sides: &Sides,
    comparison: &Comparison,
    places: &[Vec<Places<'_>>; 2],
) -> Result<String, Failure> {
    document::page(&DIFFERENCE, &data(sides, comparison, places))
}

fn data<'a>(
    sides: &'a Sides,
    comparison: &'a Comparison,
    places: &[Vec<Places<'_>>; 2],
) -> Data<'a> {
    let sections = page::SECTIONS.into_iter();
    let sections = sections.filter(|&(section, ..)| comparison.changed(section) > 0);
    let sections = sections.map(|(section, title, nouns, _)| Titles {
        section,
        title,
        of: nouns[0],
        parts: page::parts(comparison, section, nouns),
    });
    let runs = [&sides.before, &sides.after];
    Data {
        difference: json::document(sides, comparison),
        outcome: page::outcome(comparison),
        changes: comparison.changes.iter().map(written).collect(),
        times: comparison.times.iter().map(written).collect(),
        of_times: page::of_times(comparison),
        usage: comparison.usage.iter().map(written).collect(),
        of_usage: page::of_usage(comparison),
        of_totals: comparison.has_processes.then_some(page::PEAKS),
        sections: sections.collect(),
        runs: runs.map(|runs| runs.iter().map(facts).collect()),
        timelines: runs.map(|runs| runs.iter().map(|run| Timeline::of(&run.report)).collect()),
        sites: comparison
            .has_sites
            .then(|| CallSites::of(places.each_ref().map(|runs| named(runs)))),
    }
}

/// The call sites of runs that all have them.
fn named<'p>(runs: &'p [Places<'_>]) -> Vec<&'p crate::sites::Sites> {
    runs.iter().filter_map(Places::sites).collect()
}

fn written(change: &Change) -> Written {
    Written {
        title: page::titled(change),
        change: change.by(),
        shown: Shown::of(change),
    }
}

fn facts(run: &Run) -> Facts {
    let processes = run.report.processes.iter();
    Facts {
        started: units::moment(run.report.started_unix_ns),
        ending: ending(&run.report.end),
        runs: run.report.runs,
        processes: processes.map(|of| of.stands_for()).sum(),
    }
}
