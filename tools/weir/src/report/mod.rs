//! `weir report`: a report as tables for people.
//!
//! ```text
//! subject     what is shown: the whole recording, or one process image
//! measure     totals and estimates that the sections share
//! page        headings, lists, and tables that fit the width
//! findings    what is wrong
//! header, heap, time, functions, parts, sizes, errors, files,
//! coroutines, programs, processes, threads, slowest, in_flight, timeline, io_over_time, provenance, missed      a section or two each
//! sparkline   lines of blocks over time
//! one_function, one_file  all about one of them
//! sites       the other page: where in the program the calls came from
//! totals      the other form: JSON for scripts
//! recordings  which recordings reports are of
//! loss        why numbers may be too small
//! looks       whether threads slept in slow calls
//! taken       what processes took of the machine
//! ```

mod coroutines;
mod errors;
pub mod files;
pub mod findings;
mod functions;
mod header;
pub mod heap;
pub mod in_flight;
mod io_over_time;
mod looks;
pub mod loss;
pub mod measure;
pub mod missed;
mod one_file;
mod one_function;
pub mod one_run;
pub mod page;
mod parts;
mod processes;
mod programs;
mod provenance;
mod recordings;
pub mod sites;
mod sizes;
mod slowest;
mod sparkline;
mod subject;
pub mod taken;
mod threads;
pub mod time;
mod timeline;
pub mod totals;

use std::io;
use std::path::Path;

use weir_report::model::{Process, Report};
use weir_report::read;

use crate::cli::{By, ReportArgs, Sort};
use crate::exit_code;
use crate::failure::Failure;
use crate::output;
use crate::text;
use page::Page;

pub use missed::shortcomings;
pub use recordings::Recordings;
pub use subject::{Subject, ending, name as process_name};

/// How to show a report.
#[derive(Clone, Debug)]
struct Options {
    sort: Sort,
    process: Option<u32>,
    function: Option<String>,
    file: Option<String>,
    width: usize,
    coloured: bool,
}

/// Reads a report and prints it.
pub fn execute(args: &ReportArgs) -> Result<(), Failure> {
    if args.by.is_none()
        && let Some(option) = args.sites.given()
    {
        return Err(Failure::new(
            exit_code::USAGE,
            format!("{option} needs --by site (see 'weir report --help')"),
        ));
    }
    let report = load(&args.file)?;
    if args.totals {
        return output::print(&totals::json(&report)?);
    }
    if args.by == Some(By::Site) {
        return output::print(&sites::page(&report, args)?);
    }
    let options = Options {
        sort: args.sort,
        process: args.process,
        function: args.function.clone(),
        file: args.only_file.clone(),
        width: output::width(args.width),
        coloured: output::is_coloured(args.color),
    };
    output::print(&rendered(&report, &options)?)
}

/// Reads a report; of a directory, its reports as those of one run.
pub fn load(file: &Path) -> Result<Report, Failure> {
    if file.is_dir() {
        return one_run::load(&one_run::files_in(file)?);
    }
    let (name, report) = if file == Path::new("-") {
        (
            "standard input".into(),
            read::from_reader(io::stdin().lock()),
        )
    } else {
        (file.to_string_lossy(), read::load(file))
    };
    let mut report =
        report.map_err(|error| Failure::of_weir(format!("cannot read {name}")).because(error))?;
    report
        .processes
        .iter_mut()
        .for_each(crate::sites::name_made_code);
    Ok(report)
}

/// All processes, or the images of the one that is asked for.
pub fn processes(report: &Report, process: Option<u32>) -> Result<Vec<&Process>, Failure> {
    let subjects = subjects(report, process)?;
    Ok(subjects.into_iter().flat_map(|of| of.processes).collect())
}

fn rendered(report: &Report, options: &Options) -> Result<String, Failure> {
    let mut page = Page::new(options.width, options.coloured);
    for subject in subjects(report, options.process)? {
        header::show(&mut page, report, &subject);
        if let Some(function) = &options.function {
            one_function::show(&mut page, &subject, function)?;
            continue;
        }
        if let Some(file) = &options.file {
            one_file::show(&mut page, &subject, file)?;
            continue;
        }
        findings::show(&mut page, &findings::of_subject(&subject));
        heap::show(&mut page, &subject);
        time::show(&mut page, &subject);
        functions::show(&mut page, &subject, options.sort);
        parts::show(&mut page, &subject);
        sizes::show(&mut page, &subject, options.sort);
        errors::show(&mut page, &subject);
        files::show(&mut page, &subject, options.sort);
        coroutines::show(&mut page, &subject);
        programs::show(&mut page, &subject, options.sort);
        processes::show(&mut page, &subject, options.sort);
        threads::show(&mut page, &subject, options.sort);
        slowest::show(&mut page, &subject);
        in_flight::show(&mut page, &subject);
        timeline::show(&mut page, &subject);
        io_over_time::show(&mut page, &subject);
        provenance::show(&mut page, &subject);
        missed::show(&mut page, &subject);
    }
    Ok(page.into_text())
}

/// The whole recording, or every image that ran under the process id asked for.
pub fn subjects(report: &Report, process: Option<u32>) -> Result<Vec<Subject<'_>>, Failure> {
    let Some(pid) = process else {
        return Ok(vec![Subject::whole(report)]);
    };
    let images = report
        .processes
        .iter()
        .filter(|image| image.pid == pid && image.folded.is_none());
    let subjects: Vec<Subject<'_>> = images.map(Subject::image).collect();
    if subjects.is_empty() {
        let mut pids: Vec<String> = report
            .processes
            .iter()
            .filter(|image| image.folded.is_none())
            .map(|image| image.pid.to_string())
            .collect();
        let mut known = std::collections::HashSet::new();
        pids.retain(|pid| known.insert(pid.clone()));
        let more = pids.len().saturating_sub(10);
        pids.truncate(10);
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        let together = match report.folded_processes {
            0 => String::new(),
            many => format!(
                ", and {} that are reported together",
                text::counted(many, "process", "processes")
            ),
        };
        let pids = match pids.is_empty() {
            true => "no process of its own".to_owned(),
            false => pids.join(", "),
        };
        return Err(Failure::new(
            exit_code::USAGE,
            format!("the report has no process {pid}; it has {pids}{more}{together}"),
        ));
    }
    Ok(subjects)
}

#[cfg(test)]
mod tests;
