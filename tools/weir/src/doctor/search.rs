//! From a name to a file, as execvp(3) does it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::Refusal;
use super::access::{self, Denied};

/// What execvp searches where PATH is not set.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// The file that execvp would start: the name itself where it has a slash, else the first in PATH
/// that may be executed.
pub fn find(name: &OsStr, path: Option<&OsStr>) -> Result<PathBuf, Refusal> {
    if name.is_empty() {
        return Err(Refusal::not_found("the program's name is empty".to_owned()));
    }
    if name.as_bytes().contains(&b'/') {
        let file = PathBuf::from(name);
        return match access::check(&file) {
            Ok(()) => Ok(file),
            Err(Denied::Missing) => Err(Refusal::not_found(format!(
                "{} does not exist",
                file.display()
            ))),
            Err(denied) => Err(Refusal::of(&file, denied)),
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
        Some((file, denied)) => Err(Refusal::of(&file, denied)),
        None => Err(Refusal::not_found(format!(
            "{} is not found in PATH; a program of the working directory needs ./ before it",
            name.display()
        ))),
    }
}
