//! Scripts of Python that read what the command writes with packages that are not ours.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use super::text;

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/command");
const VENV: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/venv");

/// Runs a script that lies beside this file in a directory, with the packages of `tests/venv.txt`. It fails where something is not as it
/// should be.
pub fn with_readers(script: &str, directory: &Path, arguments: &[&OsStr]) {
    let venv = Command::new(VENV).output().expect("tests/venv started");
    assert!(venv.status.success(), "{}", text(&venv.stderr));
    let output = Command::new(text(&venv.stdout).trim_end())
        .arg(format!("{HERE}/{script}"))
        .args(arguments)
        .current_dir(directory)
        .output()
        .expect("python started");
    assert!(output.status.success(), "{}", text(&output.stderr));
}
