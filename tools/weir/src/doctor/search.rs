//! From a name to a file, as execvp(3) does it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::access::{self, Denied};
use crate::exit_code;
use crate::failure::Failure;

/// What execvp searches where PATH is not set.
pub const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// The file that execvp would start: the name itself where it has a slash, else the first in PATH
/// that may be executed.
pub fn find(name: &OsStr, path: Option<&OsStr>) -> Result<PathBuf, Failure> {
    if name.is_empty() {
        return Err(not_found("the program's name is empty"));
    }
    if name.as_bytes().contains(&b'/') {
        let file = PathBuf::from(name);
        return match access::check(&file) {
            Ok(()) => Ok(file),
            Err(Denied::Missing) => Err(not_found(format!("{} does not exist", file.display()))),
            Err(denied) => Err(denied.about(file.display())),
        };
    }
    let mut first_denied = None;
    let path = path.unwrap_or(OsStr::new(DEFAULT_PATH));
    for directory in path.as_bytes().split(|&byte| byte == b':') {
        // An empty entry is the working directory.
        let directory = if directory.is_empty() {
            b"."
        } else {
            directory
        };
        let file = Path::new(OsStr::from_bytes(directory)).join(name);
        match access::check(&file) {
            Ok(()) => return Ok(file),
            Err(Denied::Missing) => {}
            Err(denied) => drop(first_denied.get_or_insert((file, denied))),
        }
    }
    match first_denied {
        Some((file, denied)) => Err(denied.about(file.display())),
        None => Err(not_found(format!(
            "{} is not found in PATH; for a program in the working directory, put ./ before its name",
            name.display()
        ))),
    }
}

fn not_found(message: impl Into<String>) -> Failure {
    Failure::new(exit_code::NOT_FOUND, message)
}
