//! A command does not write over what it reads.

use std::path::{Path, PathBuf};

use crate::exit_code;
use crate::failure::Failure;
use crate::report::one_run;

/// Fails if what is to be written is one of the files that are read, or, of a directory that is read, one of its reports.
///
/// # Errors
/// In one line that names the file.
pub fn refuse<'a>(
    out: Option<&Path>,
    read: impl IntoIterator<Item = &'a PathBuf>,
) -> Result<(), Failure> {
    let is_read = |path: &PathBuf| match path.is_dir() {
        true => {
            let files = one_run::files_in(path).unwrap_or_default();
            files.iter().any(|file| is_same(file, out))
        }
        false => is_same(path, out),
    };
    match (out, read.into_iter().any(is_read)) {
        (Some(out), true) => {
            let message = format!("{} is read, and would be replaced", out.display());
            Err(Failure::new(exit_code::USAGE, message).with_remedy("name another file to write"))
        }
        _ => Ok(()),
    }
}

/// Whether two paths lead to one file that is there.
pub fn is_same(one: &Path, other: Option<&Path>) -> bool {
    let other = other.and_then(|other| other.canonicalize().ok());
    let both = one.canonicalize().ok().zip(other);
    both.is_some_and(|(one, other)| one == other)
}
