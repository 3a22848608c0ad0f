//! Running commands: where they are, a folder for what they write, what they printed, what they took.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

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
    succeeded(&name, output)
}

/// What a command took.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Wall time, from before its start until it has been waited for.
    pub seconds: f64,
    /// The largest resident memory of its process, as the kernel keeps it. It is read every few milliseconds: what came after the last
    /// reading is missing.
    pub peak_mib: f64,
    /// What it printed.
    pub stdout: String,
}

/// The time between two looks at a command that runs.
const INTERVAL: Duration = Duration::from_millis(2);

/// Runs a command as [`succeed`] does, and says what it took. It must print less than a pipe holds.
pub fn measure(command: &mut Command) -> Result<Measured> {
    let name = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let begin = Instant::now();
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot run {name}"))?;
    let status = format!("/proc/{}/status", child.id());
    let mut peak_kib = 0;
    while child.try_wait()?.is_none() {
        let now = std::fs::read_to_string(&status).unwrap_or_default();
        peak_kib = peak_kib.max(high_water_kib(&now).unwrap_or(0));
        std::thread::sleep(INTERVAL);
    }
    let seconds = begin.elapsed().as_secs_f64();
    let output = succeeded(&name, child.wait_with_output()?)?;
    Ok(Measured {
        seconds,
        peak_mib: peak_kib as f64 / 1024.0,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
    })
}

/// The largest resident memory by `/proc/PID/status`.
fn high_water_kib(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn succeeded(name: &str, output: Output) -> Result<Output> {
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
    fn a_command_is_measured() {
        let script = "sleep 0.05; echo done";
        let measured = measure(Command::new("sh").args(["-c", script])).unwrap();
        assert_eq!(measured.stdout, "done\n");
        assert!(measured.seconds >= 0.05, "{measured:?}");
        assert!(measured.peak_mib > 0.1, "{measured:?}");
        assert!(measure(Command::new("false").arg("x")).is_err());
    }

    #[test]
    fn the_kernel_s_high_water_mark_is_found() {
        let status = "Name:\tsh\nVmPeak:\t    9 kB\nVmHWM:\t    1234 kB\nVmRSS:\t 5 kB\n";
        assert_eq!(high_water_kib(status), Some(1234));
        assert_eq!(high_water_kib("Name:\tsh\n"), None);
    }

    #[test]
    fn a_failed_command_is_reported_with_its_last_words() {
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
