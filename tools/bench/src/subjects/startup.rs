//! The additional time to start and end a program: the smallest one, `true`, once and in a loop.

use std::ffi::OsStr;
use std::time::Instant;

use anyhow::{Context, Result};

use crate::bench::Bench;
use crate::command::{find_program, scratch_in_memory, succeed};
use crate::contestant::Contestant;
use crate::interleave::{Run, interleave};
use crate::section::{Row, Section};
use crate::stats::Spread;
use crate::target::{Bound, Target};
use crate::timing::Timing;

/// What `weir run` may add, in milliseconds.
const MOST_ADDED_BY_RUN_MS: f64 = 1.5;
/// What the preloaded library alone may add, in milliseconds.
const MOST_ADDED_BY_PRELOAD_MS: f64 = 0.8;
/// What `weir run` may add to each further process of a tree, in milliseconds.
const MOST_ADDED_TO_A_PROCESS_MS: f64 = 0.5;
/// Loads of a few milliseconds get so many times the rounds of others.
const ROUNDS_OF_MILLISECONDS: usize = 20;
/// How many programs the loop starts.
const LOOP: f64 = 200.0;

/// The time of `true`, and what each tool adds to it.
pub fn measure(bench: &Bench) -> Result<Section> {
    let contenders = [
        Contestant::Weir(Timing::Sampled),
        Contestant::Preload,
        Contestant::Memusage,
        Contestant::Heaptrack,
        Contestant::Strace,
        Contestant::Ltrace,
    ];
    let mut no_tool = Vec::new();
    let mut rows = Vec::new();
    for contestant in contenders {
        let name = format!("{} adds", contestant.label());
        if !contestant.is_installed() {
            rows.push(Row::not_installed(name));
            continue;
        }
        let count = if contestant.peer().is_none() {
            bench.rounds * ROUNDS_OF_MILLISECONDS
        } else {
            bench.few_rounds()
        };
        let runs = [
            elapsed_ms(bench, Contestant::NoTool),
            elapsed_ms(bench, contestant),
        ];
        let rounds = interleave(count, &runs)?;
        no_tool.extend(rounds.values(0));
        let added = rounds.per_round(|round| round[1] - round[0]);
        let median = Spread::of(&added).median;
        let aim = match contestant {
            Contestant::Weir(_) => Some(MOST_ADDED_BY_RUN_MS),
            Contestant::Preload => Some(MOST_ADDED_BY_PRELOAD_MS),
            _ => None,
        };
        let row = Row::values(name, added);
        rows.push(match aim {
            Some(most) => row.aiming_at(Target::new(
                Bound::AtMost(most),
                format!("≤ +{most} ms"),
                median,
            )),
            None => row,
        });
    }
    rows.insert(0, Row::values("`true`, no tool", no_tool));
    Ok(Section::new("Starting and ending `true`", "ms", rows))
}

/// The time of a shell that runs `true` two hundred times, and what each tool makes of it.
pub fn tree(bench: &Bench) -> Result<Section> {
    let contenders = [
        Contestant::Weir(Timing::Sampled),
        Contestant::Preload,
        Contestant::Strace,
    ];
    let mut no_tool = Vec::new();
    let mut rows = Vec::new();
    for contestant in contenders {
        if !contestant.is_installed() {
            rows.push(Row::not_installed(contestant.label()));
            continue;
        }
        let runs = [
            loop_ms(bench, Contestant::NoTool),
            loop_ms(bench, contestant),
        ];
        let rounds = interleave(bench.few_rounds(), &runs)?;
        no_tool.extend(rounds.values(0));
        let ratio = rounds.ratio(1, 0);
        rows.push(Row::measured(contestant.label(), &rounds, 1).over_no_tool(ratio));
        if let Contestant::Weir(_) = contestant {
            let each = rounds.per_round(|round| (round[1] - round[0]) / LOOP);
            let target = Target::new(
                Bound::AtMost(MOST_ADDED_TO_A_PROCESS_MS),
                format!("≤ +{MOST_ADDED_TO_A_PROCESS_MS} ms"),
                Spread::of(&each).median,
            );
            rows.push(Row::values("`weir run` adds to each process", each).aiming_at(target));
        }
    }
    rows.insert(0, Row::values("the loop, no tool", no_tool));
    Ok(Section::new("A loop of 200 `true`", "ms", rows))
}

/// The wall time of the loop.
fn loop_ms(bench: &Bench, contestant: Contestant) -> Run<'_> {
    Box::new(move || {
        let script = format!("i=0; while [ $i -lt {LOOP} ]; do /bin/true; i=$((i+1)); done");
        elapsed(bench, contestant, OsStr::new("/bin/sh"), &["-c", &script])
    })
}

/// The wall time of `true`, from its start until it has been waited for.
fn elapsed_ms(bench: &Bench, contestant: Contestant) -> Run<'_> {
    Box::new(move || {
        // By its path: a shell that a tool is written in may have a `true` of its own.
        let program = find_program("true").context("there is no `true` on the search path")?;
        elapsed(bench, contestant, program.as_os_str(), &[])
    })
}

/// The wall time of a program, in milliseconds.
fn elapsed(
    bench: &Bench,
    contestant: Contestant,
    program: &OsStr,
    arguments: &[&str],
) -> Result<f64> {
    let folder = scratch_in_memory()?;
    let mut command = bench.command(contestant, program, folder.path());
    command.args(arguments);
    let begin = Instant::now();
    succeed(&mut command)?;
    Ok(begin.elapsed().as_secs_f64() * 1e3)
}
