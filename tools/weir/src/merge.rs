//! `weir merge`: several reports in one.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use weir_report::model::Report;
use weir_report::recording::Merge;

use crate::cli::MergeArgs;
use crate::exit_code;
use crate::failure::{Failure, complain};
use crate::report::{Recordings, one_run};
use crate::{export, report};

/// Reads the reports one after the other, and writes their sum.
pub fn execute(args: &MergeArgs) -> Result<(), Failure> {
    let files = files(&args.reports, &args.out)?;
    if args.one_run {
        return write(&args.out, &one_run::load(&files)?);
    }
    let bar = bar(files.len());
    let mut merge = Merge::default();
    let mut known = Recordings::default();
    let mut settings = HashSet::new();
    for file in files {
        bar.inc(1);
        let of = match report::load(&file) {
            Ok(of) => of,
            Err(failure) if args.skip_unreadable => {
                bar.suspend(|| complain(&format!("skipped: {}", failure.in_one_line())));
                continue;
            }
            Err(failure) => {
                bar.finish_and_clear();
                return Err(failure.with_remedy("--skip-unreadable leaves such files out"));
            }
        };
        if let Err(failure) = known.add(&file, &of) {
            bar.finish_and_clear();
            return Err(failure);
        }
        settings.insert((of.timing.clone(), stacks(&of)));
        merge.add(of);
    }
    bar.finish_and_clear();
    let timings: HashSet<&String> = settings.iter().map(|(timing, _)| timing).collect();
    let stacks: HashSet<u64> = settings
        .iter()
        .filter_map(|(_, stacks)| Some(stacks.as_ref()?.unwrap_or(0)))
        .collect();
    let merged = merge.finish();
    let mut merged = merged.ok_or_else(|| Failure::of_weir("there is no report to merge"))?;
    if timings.len() > 1 || stacks.len() > 1 {
        complain(OTHER_SETTINGS);
        merged.missed.notes.push(OTHER_SETTINGS.to_owned());
    }
    write(&args.out, &merged)
}

fn write(to: &Path, report: &Report) -> Result<(), Failure> {
    export::to_file(Some(to), &|out| {
        serde_json::to_writer(&mut *out, report)?;
        out.write_all(b"\n")
    })
}

const OTHER_SETTINGS: &str = "the reports were made with different settings (--time, --stacks): latencies and call sites of the sum \
    are of parts of the calls";

/// How calls have a call stack: None where there is none, and of samples their distance.
fn stacks(of: &Report) -> Option<Option<u64>> {
    let mut stacks = of
        .processes
        .iter()
        .filter_map(|process| process.stacks.as_ref());
    stacks.next().map(|stacks| stacks.sampled_bytes)
}

/// The files; of a directory, its regular files that end with .json, by name.
fn files(given: &[PathBuf], out: &Path) -> Result<Vec<PathBuf>, Failure> {
    let standard_input = given.iter().filter(|file| file.as_path() == Path::new("-"));
    if standard_input.count() > 1 {
        return Err(Failure::new(
            exit_code::USAGE,
            "standard input can be one report only",
        ));
    }
    let mut files = Vec::new();
    for path in given {
        if is_same(path, out) {
            let message = format!(
                "{} is one of the reports: the sum would replace it",
                out.display()
            );
            return Err(Failure::new(exit_code::USAGE, message));
        }
        match path.is_dir() {
            // An earlier sum there is no part of the new one.
            true => files.extend(
                one_run::files_in(path)?
                    .into_iter()
                    .filter(|file| !is_same(file, out)),
            ),
            false => files.push(path.clone()),
        }
    }
    Ok(files)
}

/// Whether two paths lead to one file that is there.
fn is_same(one: &Path, other: &Path) -> bool {
    let both = one.canonicalize().ok().zip(other.canonicalize().ok());
    both.is_some_and(|(one, other)| one == other)
}

/// Progress, on standard error where that is a terminal.
fn bar(files: usize) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(files as u64), ProgressDrawTarget::stderr());
    match ProgressStyle::with_template("weir: {pos} of {len} reports {wide_bar} {eta}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
