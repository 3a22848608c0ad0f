//! One read+write pair of 64 bytes. Every I/O call is timed, unless timing is off.

use anyhow::Result;

use crate::bench::Bench;
use crate::contestant::{Contestant, Timing};
use crate::interleave::interleave;
use crate::loads::Load;
use crate::section::{Row, Section};
use crate::target::{Bound, Target};

/// How much more than without a tool a pair may cost.
const MOST_TO_NO_TOOL: f64 = 1.12;

/// The pairs.
pub fn measure(bench: &Bench) -> Result<Section> {
    let contender = |contestant| bench.contender(contestant, Load::ReadWrite, "ns_per_pair");
    let mut no_tool = Vec::new();
    let mut rows = Vec::new();
    for (contestant, count) in [
        (Contestant::Weir(Timing::Off), bench.rounds),
        (Contestant::Weir(Timing::Sampled), bench.rounds),
        (Contestant::Preload, bench.rounds),
        (Contestant::Strace, bench.few_rounds()),
        (Contestant::Ltrace, bench.few_rounds()),
    ] {
        if !contestant.is_installed() {
            rows.push(Row::not_installed(contestant.label()));
            continue;
        }
        let rounds = interleave(
            count,
            &[contender(Contestant::NoTool), contender(contestant)],
        )?;
        no_tool.extend(rounds.values(0));
        let ratio = rounds.ratio(1, 0);
        let row = Row::measured(contestant.label(), &rounds, 1).over_no_tool(ratio);
        rows.push(match contestant {
            Contestant::Weir(Timing::Sampled) => row.aiming_at(Target::new(
                Bound::AtMost(MOST_TO_NO_TOOL),
                format!("≤ {MOST_TO_NO_TOOL:.2} × no tool"),
                ratio.median,
            )),
            _ => row,
        });
    }
    rows.insert(0, Row::values(Contestant::NoTool.label(), no_tool));
    Ok(Section::new(
        "64-byte read and write pair",
        "ns per pair",
        rows,
    ))
}
