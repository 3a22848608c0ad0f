//! Instructions of one call, counted by callgrind: this figure does not depend on the load of
//! the machine. Not a time: a clock read is one instruction and takes as long as forty.

use std::fs;

use anyhow::{Context, Result};

use crate::bench::Bench;
use crate::command::{find_program, scratch, succeed};
use crate::contestant::Contestant;
use crate::loads::Load;
use crate::section::{Row, Section};
use crate::table::{Table, number};
use crate::timing::Timing;

/// The load's sections are of so many calls.
const CALLS_PER_SECTION: u64 = 64;

const FUNCTIONS: [&str; 4] = ["malloc", "free", "read", "write"];

/// What each way of running adds to the instructions of a call.
pub fn measure(bench: &Bench) -> Result<Section> {
    let title = "Instructions that a call takes in the program's thread";
    let unit = "instructions";
    if find_program("valgrind").is_none() {
        let rows = vec![Row::not_installed("`valgrind --tool=callgrind`")];
        return Ok(Section::new(title, unit, rows));
    }
    let mut table = Table::new([""].into_iter().chain(FUNCTIONS).map(|name| match name {
        "" => String::new(),
        name => format!("`{name}`"),
    }));
    let mut rows = Vec::new();
    let mut bare = [0.0; FUNCTIONS.len()];
    let limits = Timing::ALL.map(Contestant::Limit);
    let counts = Timing::ALL.map(Contestant::Counts);
    let stacks = [Contestant::Weir(Timing::Sampled), Contestant::Stacks];
    let first = [Contestant::NoTool].into_iter();
    for contestant in first.chain(limits).chain(counts).chain(stacks) {
        let mut cells = vec![match contestant {
            Contestant::NoTool => contestant.label(),
            _ => format!("{} adds", contestant.label()),
        }];
        for (index, function) in FUNCTIONS.into_iter().enumerate() {
            let knows = !matches!(contestant, Contestant::Limit(_))
                || matches!(function, "malloc" | "free");
            if !knows {
                cells.push(String::new());
                continue;
            }
            let count = instructions_per_call(bench, contestant, function)?;
            if contestant == Contestant::NoTool {
                bare[index] = count;
            }
            let shown = if contestant == Contestant::NoTool {
                count
            } else {
                count - bare[index]
            };
            rows.push(Row::values(
                format!("{} `{function}`", cells[0]),
                vec![shown],
            ));
            cells.push(number(shown));
        }
        table.push(cells);
    }
    Ok(Section::new(title, unit, rows).shown_as(table))
}

fn instructions_per_call(
    bench: &Bench,
    contestant: Contestant,
    function: &'static str,
) -> Result<f64> {
    let folder = scratch()?;
    let counts = folder.path().join("callgrind");
    let load = Load::Calls { function };
    let calls = bench
        .steps(contestant, load)
        .next_multiple_of(CALLS_PER_SECTION);
    let mut command = bench.command(contestant, "valgrind".as_ref(), folder.path());
    command
        .args(["--tool=callgrind", "--toggle-collect=measured_section"])
        .arg(format!("--callgrind-out-file={}", counts.display()))
        .arg(bench.loads.program(load))
        .args(load.arguments(calls));
    succeed(&mut command)?;
    let text = fs::read_to_string(&counts).context("callgrind wrote no counts")?;
    let total = total_instructions(&text).context("callgrind counted nothing")?;
    Ok(total as f64 / calls as f64)
}

/// The sum over the whole run, from callgrind's file: its line `summary:` or `totals:`.
fn total_instructions(counts: &str) -> Option<u64> {
    let line = |name| counts.lines().find_map(|line| line.strip_prefix(name));
    line("totals:")
        .or_else(|| line("summary:"))?
        .trim()
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_read_from_callgrinds_file() {
        assert_eq!(
            total_instructions("events: Ir\nfn=(1) main\n16 400\ntotals: 12345\n"),
            Some(12345)
        );
        assert_eq!(total_instructions("events: Ir\nsummary: 77\n\n"), Some(77));
        assert_eq!(total_instructions("events: Ir\n"), None);
    }
}
