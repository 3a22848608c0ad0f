//! Resident memory that a tool adds to the program: for one thread, and for each further thread.

use anyhow::Result;

use crate::bench::Bench;
use crate::contestant::Contestant;
use crate::interleave::interleave;
use crate::loads::Load;
use crate::section::{Row, Section};
use crate::stats::Spread;
use crate::target::{Bound, Target};
use crate::timing::Timing;

/// What the library may add to a program of one thread, in KiB.
const MOST_FOR_ONE_THREAD_KIB: f64 = 2048.0;
/// What it may add for each further thread, in KiB.
const MOST_FOR_EACH_FURTHER_KIB: f64 = 256.0;

/// Threads of the larger program, besides the first.
const FURTHER_THREADS: u32 = 8;

/// The difference in resident size to the same program without a tool.
pub fn measure(bench: &Bench) -> Result<Section> {
    let contender = |contestant, threads| {
        bench.contender(contestant, Load::Resident { threads }, "resident_kib")
    };
    let mut rows = Vec::new();
    let mut no_tool = Vec::new();
    for contestant in [
        Contestant::Weir(Timing::Sampled),
        Contestant::Weir(Timing::All),
        Contestant::Preload,
        Contestant::Memusage,
        Contestant::Heaptrack,
    ] {
        let name = |what: &str| format!("{}: {what}", contestant.label());
        if !contestant.is_installed() {
            rows.push(Row::not_installed(name("1 thread")));
            continue;
        }
        let runs = [
            contender(Contestant::NoTool, 1),
            contender(contestant, 1),
            contender(Contestant::NoTool, 1 + FURTHER_THREADS),
            contender(contestant, 1 + FURTHER_THREADS),
        ];
        let rounds = interleave(bench.few_rounds(), &runs)?;
        no_tool.extend(rounds.values(0));
        let first = rounds.per_round(|round| round[1] - round[0]);
        let further = rounds.per_round(|round| {
            (round[3] - round[2] - (round[1] - round[0])) / f64::from(FURTHER_THREADS)
        });
        let is_weir = contestant.peer().is_none();
        for (what, most, values) in [
            ("1 thread", MOST_FOR_ONE_THREAD_KIB, first),
            ("each further thread", MOST_FOR_EACH_FURTHER_KIB, further),
        ] {
            let median = Spread::of(&values).median;
            let row = Row::values(name(what), values);
            rows.push(match is_weir {
                true => row.aiming_at(Target::new(
                    Bound::AtMost(most),
                    format!("≤ {most} KiB"),
                    median,
                )),
                false => row,
            });
        }
    }
    rows.insert(
        0,
        Row::values("no tool: 1 thread, all of its memory", no_tool),
    );
    Ok(Section::new(
        "Resident memory that the tool adds to the program",
        "KiB",
        rows,
    ))
}
