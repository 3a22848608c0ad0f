//! One read+write pair of 64 bytes. Every I/O call is timed, unless timing is off.

use anyhow::Result;

use crate::bench::Bench;
use crate::contestant::Contestant;
use crate::interleave::interleave;
use crate::loads::Load;
use crate::section::{Row, Section};
use crate::target::{Bound, Target};
use crate::timing::Timing;

/// How much more than without a tool a pair may cost.
const MOST_TO_NO_TOOL: f64 = 1.12;

/// The pairs.
pub fn measure(bench: &Bench) -> Result<Section> {
    let contender = |contestant| bench.contender(contestant, Load::ReadWrite, "ns_per_pair");
    let mut no_tool = Vec::new();
    let mut rows = Vec::new();
    for timing in [Timing::Off, Timing::Sampled] {
        let (limit, weir) = (Contestant::Limit(timing), Contestant::Weir(timing));
        let runs = [
            contender(Contestant::NoTool),
            contender(limit),
            contender(weir),
        ];
        let rounds = interleave(bench.rounds, &runs)?;
        no_tool.extend(rounds.values(0));
        rows.push(Row::measured(label(limit), &rounds, 1).over_no_tool(rounds.ratio(1, 0)));
        let ratio = rounds.ratio(2, 0);
        let row = Row::measured(label(weir), &rounds, 2)
            .over_no_tool(ratio)
            .over_limit(rounds.ratio(2, 1));
        rows.push(match timing {
            Timing::Off => row,
            _ => row.aiming_at(Target::new(
                Bound::AtMost(MOST_TO_NO_TOOL),
                format!("≤ {MOST_TO_NO_TOOL:.2} × no tool"),
                ratio.median,
            )),
        });
    }
    for (contestant, count) in [
        (Contestant::Counts(Timing::Sampled), bench.rounds),
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
        rows.push(Row::measured(contestant.label(), &rounds, 1).over_no_tool(rounds.ratio(1, 0)));
    }
    rows.insert(0, Row::values(Contestant::NoTool.label(), no_tool));
    Ok(Section::new(
        "64-byte read and write pair",
        "ns per pair",
        rows,
    ))
}

/// How this table names a contestant: I/O calls are all timed, or none.
fn label(contestant: Contestant) -> String {
    match contestant {
        Contestant::Limit(Timing::Sampled) => "C limit, all timed".into(),
        other => other.label(),
    }
}
