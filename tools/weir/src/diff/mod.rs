//! `weir diff`: what differs between two reports, or between reports of several runs before and after.
//!
//! ```text
//! numbers     the numbers of a report, by names that another report has, too
//! names       names of files without what differs from run to run
//! number      one of them, as well as it is known
//! usage       what processes took of the machine, as such numbers
//! bounds      between which values something lies that chance hides
//! compare     which numbers differ
//! renamed     files that have another name in each run
//! remarks     why the reports may not be comparable
//! page, json, html  the result, for people, for programs, and for browsers
//! ```

mod bounds;
mod compare;
mod html;
mod json;
mod names;
mod number;
mod numbers;
mod page;
mod remarks;
mod renamed;
#[cfg(test)]
mod tests;
mod usage;

use std::path::{Path, PathBuf};

use weir_report::model::Report;

use crate::cli::{ColorWhen, DiffArgs, Differences, STANDARD_OUTPUT};
use crate::exit_code;
use crate::failure::Failure;
use crate::report::Recordings;
use crate::report::sites::places::Places;
use crate::{export, output, overwrite, report};
use compare::{Comparison, compare};
use numbers::{Numbers, Section};

/// A report that is compared.
struct Run {
    file: PathBuf,
    report: Report,
}

/// What is to be said where reports of a side have nothing of a section, and others have it.
const LACKS: [(Section, &str); 2] = [
    (
        Section::Sites,
        "there are no call stacks, so call sites are not compared",
    ),
    (
        Section::Usage,
        "it was not read what processes took of the machine, so that is not compared",
    ),
];

/// What is compared.
struct Sides {
    before: Vec<Run>,
    after: Vec<Run>,
}

impl Sides {
    /// Both, each with its name.
    fn both(&self) -> [(&'static str, &[Run]); 2] {
        [("before", &self.before), ("after", &self.after)]
    }

    /// The call sites of both sides, run by run, for all that asks for them: to find their names takes time.
    fn places(&self) -> [Vec<Places<'_>>; 2] {
        self.both().map(|(_, runs)| {
            let of_runs = runs.iter().map(|run| Places::of(&run.report.processes));
            of_runs.collect()
        })
    }

    fn compared_by(&self, places: &[Vec<Places<'_>>; 2]) -> Comparison {
        let mut not_compared = Vec::new();
        let mut places = places.iter();
        let [before, after] = self.both().map(|(side, runs)| {
            let places = places.next().into_iter().flatten();
            let of_runs = runs.iter().zip(places).map(|(run, places)| {
                let numbers = Numbers::of(&run.report, places);
                if let Some(reason) = &numbers.nameless {
                    let name = remarks::name(side, run, runs.len());
                    not_compared.push(format!("{name}: {reason}"));
                }
                numbers
            });
            Vec::from_iter(of_runs)
        });
        for (section, lack) in LACKS {
            let is_explained = |of: &Numbers| section == Section::Sites && of.nameless.is_some();
            let lacks = |of: &Numbers| of.lacks(section) && !is_explained(of);
            let is_anywhere = before.iter().chain(&after).any(|of| !of.lacks(section));
            for (numbers, side) in [(&before, "before"), (&after, "after")] {
                if is_anywhere && numbers.iter().any(lacks) {
                    not_compared.push(format!("{side}: {lack}"));
                }
            }
        }
        let mut comparison = compare(&before, &after);
        comparison.not_compared = not_compared;
        comparison
    }
}

/// Compares reports and prints what differs.
pub fn execute(args: &DiffArgs) -> Result<(), Failure> {
    let of_text = [
        (args.top.is_some(), "--top"),
        (args.width.is_some(), "--width"),
    ];
    if let (Differences::Html, Some((_, option))) =
        (args.format, of_text.iter().find(|(is, _)| *is))
    {
        let message =
            format!("{option} is for text: the page has all rows, and is as wide as its window");
        return Err(Failure::new(exit_code::USAGE, message));
    }
    overwrite::refuse(args.out.as_deref(), args.files.iter().chain(&args.after))?;
    let (before, after) = sides(args)?;
    let sides = Sides {
        before: loaded(&before)?,
        after: loaded(&after)?,
    };
    let places = sides.places();
    let comparison = sides.compared_by(&places);
    let text = match args.format {
        Differences::Text => {
            let options = page::Options {
                width: output::width(args.width),
                coloured: match is_file(args) {
                    true => args.color == ColorWhen::Always,
                    false => output::is_coloured(args.color),
                },
                top: args.top.map_or(10, |top| top as usize),
            };
            page::text(&sides, &comparison, &options)
        }
        Differences::Json => json::text(&sides, &comparison)?,
        Differences::Html => html::page(&sides, &comparison, &places)?,
    };
    export::to_file(args.out.as_deref(), &|out| out.write_all(text.as_bytes()))
}

/// Whether the output goes to a file, which takes no colours.
fn is_file(args: &DiffArgs) -> bool {
    let out = args.out.as_deref();
    out.is_some_and(|path| path != Path::new(STANDARD_OUTPUT))
}

/// Which reports are of which side.
fn sides(args: &DiffArgs) -> Result<(Vec<PathBuf>, Vec<PathBuf>), Failure> {
    let (before, after) = match (args.files.as_slice(), args.after.as_slice()) {
        ([before, after], []) => (vec![before.clone()], vec![after.clone()]),
        ([_], []) => {
            let message = "one report is nothing to compare: give two";
            return Err(Failure::new(exit_code::USAGE, message));
        }
        (_, []) => {
            let message = "of more than two reports, --after must stand before those that are compared with the others";
            return Err(Failure::new(exit_code::USAGE, message));
        }
        (before, after) => (before.to_vec(), after.to_vec()),
    };
    let stdin = |file: &&PathBuf| file.as_path() == Path::new("-");
    match before.iter().chain(&after).filter(stdin).count() {
        0 | 1 => Ok((before, after)),
        _ => Err(Failure::new(
            exit_code::USAGE,
            "standard input can be one report only",
        )),
    }
}

fn loaded(files: &[PathBuf]) -> Result<Vec<Run>, Failure> {
    let mut known = Recordings::default();
    let runs = files.iter().map(|file| {
        let report = report::load(file)?;
        known.add(file, &report)?;
        Ok(Run {
            file: file.clone(),
            report,
        })
    });
    runs.collect()
}
