//! Running commands: where they are, a folder for what they write, what they printed.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

/// Where `name` is found by the search path.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// A folder for what one run writes.
pub fn scratch() -> Result<TempDir> {
    tempfile::Builder::new()
        .prefix("weir-bench.")
        .tempdir()
        .context("cannot make a temporary folder: see that TMPDIR can be written")
}

/// The same in memory, where the system has a place for that: on a disk, making a file may take longer than all that a tool
/// does at the end of a short program.
pub fn scratch_in_memory() -> Result<TempDir> {
    tempfile::Builder::new()
        .prefix("weir-bench.")
        .tempdir_in("/dev/shm")
        .or_else(|_| scratch())
}

/// Runs a command to its end, without input, and takes what it printed. An exit other than 0 is an
/// error that quotes the last line of its stderr.
pub fn succeed(command: &mut Command) -> Result<Output> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {name}"))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let last = stderr
            .lines()
            .last()
            .unwrap_or("it printed nothing on stderr");
        bail!("{name} failed, {}: {last}", output.status);
    }
    Ok(output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_by_the_search_path() {
        assert!(find_program("sh").is_some_and(|path| path.ends_with("sh")));
        assert_eq!(find_program("no-such-program-anywhere"), None);
    }

    #[test]
    fn a_failed_command_is_told_with_its_last_words() {
        let error = succeed(Command::new("sh").args(["-c", "echo one >&2; echo two >&2; exit 3"]));
        assert_eq!(
            error.unwrap_err().to_string(),
            "sh failed, exit status: 3: two"
        );
    }

    #[test]
    fn a_command_that_is_not_there_is_named() {
        let error = succeed(&mut Command::new("no-such-program-anywhere")).unwrap_err();
        assert_eq!(error.to_string(), "cannot run no-such-program-anywhere");
    }
}
