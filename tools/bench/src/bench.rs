//! What a measurement has at hand, and how it runs a load.

use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::contestant::Contestant;
use crate::interleave::Run;
use crate::loads::{Load, Loads, parse_result};
use crate::product::Product;

/// The product, the loads, and how long to measure.
#[derive(Debug)]
pub struct Bench {
    /// The command and the library that are measured.
    pub product: Product,
    /// The programs that they are measured on.
    pub loads: Loads,
    /// Rounds of a comparison of quick contenders.
    pub rounds: usize,
    /// Seconds instead of minutes: everything runs, nothing is measured well.
    pub quick: bool,
}

impl Bench {
    /// Rounds for contenders of which one run takes a good part of a second.
    pub fn few_rounds(&self) -> usize {
        self.rounds.div_ceil(4)
    }

    /// The contender that runs `load` as `contestant` does, and gives what the load printed as `unit`.
    pub fn contender(&self, contestant: Contestant, load: Load, unit: &'static str) -> Run<'_> {
        // ltrace 0.7.3 loses a program with threads now and then, and says nothing of it.
        let attempts = if matches!(contestant, Contestant::Ltrace) {
            5
        } else {
            1
        };
        let once = move || {
            let folder = scratch()?;
            let program = self.loads.program(load);
            let mut command = contestant.command(self, program.as_os_str(), folder.path());
            command.args(load.arguments(self.steps(contestant, load)));
            let output = succeed(&mut command)?;
            let stdout = String::from_utf8_lossy(&output.stdout);
            parse_result(&stdout, unit).with_context(|| {
                format!(
                    "{} under {} printed no {unit}",
                    program.display(),
                    contestant.label()
                )
            })
        };
        Box::new(move || {
            let mut measured = once();
            for _ in 1..attempts {
                if measured.is_ok() {
                    break;
                }
                measured = once();
            }
            measured
        })
    }

    /// How many steps of `load` to run: a twentieth of a second without a tool, which is long enough to
    /// measure, and short enough that a neighbour sees the machine at the same speed. Tools that take
    /// a thousand times as long get fewer.
    pub fn steps(&self, contestant: Contestant, load: Load) -> u64 {
        let steps = match (load, contestant) {
            (Load::Pairs { .. } | Load::Deep { .. }, Contestant::Ltrace) => 200,
            (Load::Pairs { .. }, _) => 4_000_000,
            (Load::Deep { .. }, _) => 1_000_000,
            (Load::ReadWrite, Contestant::Strace | Contestant::Ltrace) => 200,
            (Load::ReadWrite, _) => 100_000,
            (Load::Surface { kind }, contestant) => {
                let steps = match kind {
                    "echo" | "ball" => 4_000,
                    "open" => 40_000,
                    "putc" => 8_000_000,
                    _ => 500_000,
                };
                match contestant {
                    Contestant::Strace if matches!(kind, "echo" | "ball" | "open") => 100,
                    _ => steps,
                }
            }
            (Load::Resident { .. }, _) => 1,
            (Load::Calls { .. }, _) => 64 * 1024,
        };
        let quick = if self.quick { 20 } else { 1 };
        (steps / quick).max(1)
    }
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
