//! `weir export` and `weir flame`: call sites and tables in formats of other tools.
//!
//! ```text
//! folded        a line for each stack, for any flame graph
//! speedscope    JSON for speedscope.app
//! pprof         profile.proto, for go tool pprof, Pyroscope, Parca
//! dhat          JSON for the viewer of Valgrind's DHAT
//! firefox       JSON for the Firefox Profiler
//! tables        what a report has of functions, files, processes, …
//! rows          tables as CSV and as lines of JSON
//! metrics       totals, with names and labels
//! openmetrics   these for Prometheus
//! otlp          these for OpenTelemetry
//! bmf           totals for Bencher
//! chrome_trace  slowest calls and counters over time, for Perfetto
//! flame         a picture, for browsers
//! difference    what two reports have of each function
//! layout        where a picture's boxes are
//! file          where the text goes
//! columns       of tables, in all their formats
//! fleet         many reports as Parquet tables
//! ```

mod bmf;
mod chrome_trace;
mod columns;
mod dhat;
mod difference;
mod file;
mod firefox;
mod flame;
mod fleet;
mod folded;
mod layout;
mod metrics;
mod openmetrics;
mod otlp;
mod pprof;
mod rows;
mod speedscope;
mod tables;

use std::path::Path;

pub use file::write as to_file;
use weir_report::model::{Process, Report, Site};

use crate::cli::{ExportArgs, FlameArgs, Format, Group, SiteArgs, StackArgs};
use crate::exit_code;
use crate::failure::Failure;
use crate::overwrite;
use crate::report::{self, Subject};
use crate::sites::{Choice, Sites, Tree, Wanted, What};
use crate::text;
use tables::Table;

/// Writes call sites, or a table, in another format.
pub fn export(args: &ExportArgs) -> Result<(), Failure> {
    let is_table = matches!(args.format, Format::Csv | Format::Ndjson);
    if args.table.is_some() && !is_table {
        let message = "--table is for the formats csv and ndjson";
        return Err(Failure::new(exit_code::USAGE, message));
    }
    let is_data_set = args.format == Format::Parquet;
    let report = match args.reports.as_slice() {
        [first, others @ ..] if others.is_empty() || is_data_set => first,
        _ => {
            let message = "only the format parquet takes several reports";
            return Err(Failure::new(exit_code::USAGE, message));
        }
    };
    if args.skip_unreadable && !is_data_set {
        let message = "--skip-unreadable is for the format parquet";
        return Err(Failure::new(exit_code::USAGE, message));
    }
    let stacks = &args.stacks;
    let out = args.out.as_deref();
    if !is_data_set {
        overwrite::refuse(out, &args.reports)?;
    }
    let profile = || load(report, stacks);
    match args.format {
        Format::Folded => {
            let profile = profile()?;
            let choice = profile.choice(&stacks.sites)?;
            file::write(out, &|out| folded::write(&profile, choice, out))
        }
        Format::Speedscope => {
            let profile = profile()?;
            let choices = profile.choices()?;
            file::write(out, &|out| speedscope::write(&profile, &choices, out))
        }
        Format::Pprof => {
            let profile = profile()?;
            let choices = profile.choices()?;
            file::write(out, &|out| pprof::write(&profile, &choices, out))
        }
        Format::Firefox => {
            let profile = profile()?;
            let choices = profile.choices()?;
            file::write(out, &|out| firefox::write(&profile, &choices, out))
        }
        Format::Dhat => {
            let profile = profile()?;
            match dhat::is_empty(&profile) {
                true => Err(nothing()),
                false => file::write(out, &|out| dhat::write(&profile, out)),
            }
        }
        Format::Csv => {
            let table = table(report, args)?;
            file::write(out, &|out| rows::write_csv(&table, out))
        }
        Format::Ndjson => {
            let table = table(report, args)?;
            file::write(out, &|out| rows::write_ndjson(&table, out))
        }
        Format::Openmetrics => {
            let text = with_subjects(report, stacks, |of| {
                totals(of, "openmetrics", openmetrics::text)
            })?;
            file::write(out, &|out| out.write_all(text.as_bytes()))
        }
        Format::OtlpJson => with_report(report, stacks, |report, subjects| {
            let value = otlp::value(&report.weir_version, subjects);
            file::write(out, &|out| writeln!(out, "{value}"))
        }),
        Format::Bmf => {
            let value = with_subjects(report, stacks, |of| totals(of, "bmf", bmf::value))?;
            file::write(out, &|out| writeln!(out, "{value}"))
        }
        Format::ChromeTrace => with_subjects(report, stacks, |subjects| {
            file::write(out, &|out| chrome_trace::write(subjects, out))
        }),
        Format::Parquet => data_set(args),
    }
}

/// Adds reports to a data set.
fn data_set(args: &ExportArgs) -> Result<(), Failure> {
    let refused = |message: String| Err(Failure::new(exit_code::USAGE, message));
    let StackArgs { process, sites } = &args.stacks;
    let process = process.map(|_| "--process");
    if let Some(option) = process.or_else(|| sites.given()) {
        return refused(format!(
            "{option} is for other formats: parquet has all of a report"
        ));
    }
    match args.out.as_deref() {
        None => refused("parquet needs --out with the directory of the data set".to_owned()),
        Some(out) => fleet::write(&args.reports, args.skip_unreadable, out),
    }
}

/// The table that a command line asks for.
fn table(report: &Path, args: &ExportArgs) -> Result<Table, Failure> {
    let rows = args.table.unwrap_or_default();
    with_subjects(report, &args.stacks, |subjects| {
        Ok(Table::of(rows, subjects))
    })
}

/// What a format of totals makes of the one subject that it has place for.
fn totals<T>(
    subjects: &[Subject<'_>],
    format: &str,
    make: impl FnOnce(&Subject<'_>) -> T,
) -> Result<T, Failure> {
    match subjects {
        [subject] => Ok(make(subject)),
        _ => Err(Failure::of_weir(format!(
            "the process replaced itself by exec: {format} has no place for several programs"
        ))),
    }
}

/// Makes something of a report's numbers.
fn with_subjects<T>(
    file: &Path,
    args: &StackArgs,
    make: impl FnOnce(&[Subject<'_>]) -> Result<T, Failure>,
) -> Result<T, Failure> {
    with_report(file, args, |_, subjects| make(subjects))
}

/// The same, of what only the whole report has, too.
fn with_report<T>(
    file: &Path,
    args: &StackArgs,
    make: impl FnOnce(&Report, &[Subject<'_>]) -> Result<T, Failure>,
) -> Result<T, Failure> {
    if let Some(option) = args.sites.given() {
        let message = format!("{option} is for the formats of call sites");
        return Err(Failure::new(exit_code::USAGE, message));
    }
    let report = report::load(file)?;
    make(&report, &report::subjects(&report, args.process)?)
}

/// Draws a flame graph.
pub fn flame(args: &FlameArgs) -> Result<(), Failure> {
    overwrite::refuse(args.out.as_deref(), args.diff.iter().chain([&args.file]))?;
    let stacks = &args.stacks;
    let profile = load(&args.file, stacks)?;
    let out = args.out.as_deref();
    let Some(before) = &args.diff else {
        let choice = profile.choice(&stacks.sites)?;
        return file::write(out, &|out| flame::write(&profile, choice, out));
    };
    let before = load_file(before, None, &stacks.sites)?;
    // What is gone now can still be shown.
    let choice = profile
        .choice(&stacks.sites)
        .or_else(|_| before.choice(&stacks.sites))?;
    let difference = difference::between(&before, &profile, choice);
    file::write(out, &|out| flame::write_difference(&difference, out))
}

/// A report's call sites, and which of them are wanted.
struct Profile {
    report: Report,
    /// The process that was asked for.
    process: Option<u32>,
    sites: Sites,
    wanted: Vec<bool>,
}

fn load(file: &Path, args: &StackArgs) -> Result<Profile, Failure> {
    load_file(file, args.process, &args.sites)
}

fn load_file(file: &Path, process: Option<u32>, args: &SiteArgs) -> Result<Profile, Failure> {
    let report = report::load(file)?;
    let processes = report::processes(&report, process)?;
    let sites = Sites::asked(&processes, args)?;
    let wanted = sites.wanted(&Wanted::of(args));
    Ok(Profile {
        report,
        process,
        sites,
        wanted,
    })
}

impl Profile {
    /// Whether a site is wanted and of a group.
    fn has(&self, index: usize, group: Group) -> bool {
        self.wanted[index] && Group::of(&self.sites.stacks.sites[index].function) == group
    }

    /// The sites that have something of a sum.
    fn chosen(&self, choice: Choice) -> impl Iterator<Item = &Site> {
        let sites = self.sites.stacks.sites.iter().enumerate();
        sites
            .filter(move |&(index, site)| {
                self.has(index, choice.group) && choice.metric.of(site) > 0
            })
            .map(|(_, site)| site)
    }

    fn total(&self, choice: Choice) -> u64 {
        let sums = self.chosen(choice).map(|site| choice.metric.of(site));
        sums.fold(0, u64::saturating_add)
    }

    /// The sums that are not 0, of which there must be one.
    fn choices(&self) -> Result<Vec<Choice>, Failure> {
        let choices = Choice::ALL.into_iter();
        let choices: Vec<Choice> = choices.filter(|&of| self.total(of) > 0).collect();
        match choices.is_empty() {
            true => Err(nothing()),
            false => Ok(choices),
        }
    }

    /// The sum that a command line asks for, in a format that has one: the first one that is not 0.
    fn choice(&self, args: &SiteArgs) -> Result<Choice, Failure> {
        let asked = match (args.of, args.metric) {
            (Some(group), Some(metric)) => vec![Choice { group, metric }],
            (group, metric) => {
                let is_asked = |choice: &Choice| {
                    group.is_none_or(|group| group == choice.group)
                        && metric.is_none_or(|metric| metric == choice.metric)
                };
                Choice::ALL.into_iter().filter(is_asked).collect()
            }
        };
        let found = asked.into_iter().find(|&choice| self.total(choice) > 0);
        found.ok_or_else(nothing)
    }

    /// The functions that lead to such a sum.
    fn tree(&self, choice: Choice) -> Tree<'_> {
        let tree = Tree::new(
            &self.sites,
            |index, _| self.has(index, choice.group),
            |site| choice.metric.of(site),
        );
        tree.by_function(&self.sites)
    }

    fn name<'a>(&'a self, what: What<'a>) -> &'a str {
        match what {
            What::Point(point) => &self.sites.points.get(point).function,
            What::Called(function) => function,
        }
    }

    /// The processes that the sites are of.
    fn processes(&self) -> Vec<&Process> {
        report::processes(&self.report, self.process).unwrap_or_default()
    }

    /// The process that the sites are of, the first one of several.
    fn pid(&self) -> u32 {
        self.processes().first().map_or(0, |of| of.pid)
    }

    /// What was run.
    fn title(&self) -> String {
        text::command_line(&self.report.command)
    }
}

fn nothing() -> Failure {
    Failure::of_weir("no call site has anything of what is asked for")
        .with_remedy("weir report --by site shows what there is")
}

#[cfg(test)]
mod tests;
