//! Many reports, one after the other.

use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use weir_report::model::Report;

use crate::exit_code;
use crate::failure::{Failure, complain};
use crate::overwrite::is_same;
use crate::report::{self, Recordings, one_run};

/// The files; of a directory, its regular files that end with .json, by name. What is written to `out` is none of them.
pub fn files(given: &[PathBuf], out: Option<&Path>) -> Result<Vec<PathBuf>, Failure> {
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
                path.display()
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

/// Reads reports, and passes each on. Of what is read, little stays in memory.
///
/// # Errors
/// A report cannot be read, unless such are to be skipped; or two are of the same recording, or `take` fails.
pub fn each(
    files: Vec<PathBuf>,
    skip_unreadable: bool,
    take: &mut dyn FnMut(Report) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let bar = bar(files.len());
    let mut known = Recordings::default();
    let mut next = |file: &Path| {
        bar.inc(1);
        let of = match report::load(file) {
            Ok(of) => of,
            Err(failure) if skip_unreadable => {
                bar.suspend(|| complain(&format!("skipped: {}", failure.in_one_line())));
                return Ok(());
            }
            Err(failure) => {
                return Err(failure.with_remedy("--skip-unreadable leaves such files out"));
            }
        };
        known.add(file, &of)?;
        take(of)
    };
    let taken = files.iter().try_for_each(|file| next(file));
    bar.finish_and_clear();
    taken
}

/// Progress, on standard error where that is a terminal.
fn bar(files: usize) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(files as u64), ProgressDrawTarget::stderr());
    match ProgressStyle::with_template("weir: {pos} of {len} reports {wide_bar} {eta}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
