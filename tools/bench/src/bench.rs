//! What a measurement uses, and how it runs a load.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use anyhow::Context;

use crate::command::{scratch, succeed};
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

    /// The command that runs `program` as `contestant` does; see [`Contestant::command`].
    pub fn command(&self, contestant: Contestant, program: &OsStr, folder: &Path) -> Command {
        contestant.command(&self.product, &self.loads, program, folder)
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
            let mut command = self.command(contestant, program.as_os_str(), folder.path());
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
            (Load::Deep { .. } | Load::Live { .. }, _) => 1_000_000,
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
