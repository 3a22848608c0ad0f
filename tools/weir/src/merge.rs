//! `weir merge`: several reports in one.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use weir_report::model::Report;
use weir_report::recording::Merge;

use crate::cli::MergeArgs;
use crate::exit_code;
use crate::failure::{Failure, complain};
use crate::{export, report};

/// Reads the reports one after the other, and writes their sum.
pub fn execute(args: &MergeArgs) -> Result<(), Failure> {
    let files = files(&args.reports)?;
    let bar = bar(files.len());
    let mut merge = Merge::default();
    let mut known: HashMap<Recording, PathBuf> = HashMap::new();
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
        if let Some(same) = known.insert(recording(&of), file.clone()) {
            bar.finish_and_clear();
            let message = format!(
                "{} and {} are of the same recording, which would count twice",
                same.display(),
                file.display()
            );
            return Err(Failure::new(exit_code::USAGE, message));
        }
        merge.add(of);
    }
    bar.finish_and_clear();
    let merged = merge.finish();
    let merged = merged.ok_or_else(|| Failure::of_weir("there is no report to merge"))?;
    export::to_file(Some(&args.out), &|out| {
        serde_json::to_writer(&mut *out, &merged)?;
        out.write_all(b"\n")
    })
}

/// What no two recordings have in common: the first process and its start, and how many runs it is of.
type Recording = (Option<u32>, u64, u64);

fn recording(of: &Report) -> Recording {
    let pid = of.processes.first().map(|process| process.pid);
    (pid, of.started_unix_ns, of.runs)
}

/// The files; of a directory, its JSON files by name.
fn files(given: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in given {
        match path.is_dir() {
            true => files.extend(in_directory(path)?),
            false => files.push(path.clone()),
        }
    }
    Ok(files)
}

fn in_directory(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failed = |error| Failure::of_file("read", path, error);
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        if file
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            files.push(file);
        }
    }
    if files.is_empty() {
        let message = format!("{} has no file that ends with .json", path.display());
        return Err(Failure::of_weir(message));
    }
    files.sort();
    Ok(files)
}

/// Progress, on standard error where that is a terminal.
fn bar(files: usize) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(files as u64), ProgressDrawTarget::stderr());
    match ProgressStyle::with_template("weir: {pos} of {len} reports {wide_bar} {eta}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
