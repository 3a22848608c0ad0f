//! What call stacks add to a malloc+free pair: at three depths, and with a million blocks live; and to a call of read or write.

use anyhow::Result;

use crate::bench::Bench;
use crate::contestant::Contestant;
use crate::interleave::interleave;
use crate::loads::Load;
use crate::section::{Row, Section};
use crate::stats::Spread;
use crate::target::{Bound, Target};
use crate::timing::Timing;

const UNIT: &str = "ns_per_pair";

/// A load, what the rows call it, and what stacks may add: times the pair without a tool.
const LOADS: [(Load, &str, f64); 4] = [
    (Load::Pairs { threads: 1 }, "in one function", 2.5),
    (Load::Deep { frames: 10 }, "below 10 frames", 1.6),
    (Load::Deep { frames: 30 }, "below 30 frames", 0.9),
    (
        Load::Live { blocks: 1_000_000 },
        "with 1 M blocks live",
        0.4,
    ),
];

/// What a pair may cost with samples, against the same without.
const MOST_OF_SAMPLES: f64 = 1.05;

/// What call stacks may add to an I/O call, in nanoseconds.
const MOST_OF_IO_NS: f64 = 25.0;

/// For each load the pair without a tool, what Weir's stacks add to Weir's counts, and what heaptrack adds to no tool.
pub fn measure(bench: &Bench) -> Result<Section> {
    let mut rows = Vec::new();
    for (load, name, most) in LOADS {
        let contender = |contestant| bench.contender(contestant, load, UNIT);
        let runs = [
            contender(Contestant::NoTool),
            contender(Contestant::Counts(Timing::Sampled)),
            contender(Contestant::Stacks),
            contender(Contestant::Weir(Timing::Sampled)),
        ];
        let rounds = interleave(bench.rounds, &runs)?;
        let ratio = Spread::of(&rounds.per_round(|round| (round[2] - round[1]) / round[0])).median;
        rows.push(Row::measured(format!("no tool, {name}"), &rounds, 0));
        let samples = rounds.ratio(3, 1).median;
        rows.push(
            Row::values(
                "samples add to counts",
                rounds.per_round(|round| round[3] - round[1]),
            )
            .aiming_at(Target::new(
                Bound::AtMost(MOST_OF_SAMPLES),
                format!("in all ≤ {MOST_OF_SAMPLES} × counts"),
                samples,
            )),
        );
        rows.push(
            Row::values(
                "all call stacks add to counts",
                rounds.per_round(|round| round[2] - round[1]),
            )
            .aiming_at(Target::new(
                Bound::AtMost(most),
                format!("≤ {most} × no tool"),
                ratio,
            )),
        );
        let heaptrack = Contestant::Heaptrack;
        let added = format!("{} adds to no tool", heaptrack.label());
        if !heaptrack.is_installed() {
            rows.push(Row::not_installed(added));
            continue;
        }
        let runs = [contender(Contestant::NoTool), contender(heaptrack)];
        let rounds = interleave(bench.few_rounds(), &runs)?;
        rows.push(Row::values(
            added,
            rounds.per_round(|round| round[1] - round[0]),
        ));
    }
    let contender = |contestant| bench.contender(contestant, Load::ReadWrite, "ns_per_pair");
    for (name, contestant) in [
        ("samples", Contestant::Weir(Timing::Sampled)),
        ("all call stacks", Contestant::Stacks),
    ] {
        let runs = [
            contender(Contestant::Counts(Timing::Sampled)),
            contender(contestant),
        ];
        let rounds = interleave(bench.rounds, &runs)?;
        let added = rounds.per_round(|round| (round[1] - round[0]) / 2.0);
        let median = Spread::of(&added).median;
        rows.push(
            Row::values(format!("{name} add to a call of read or write"), added).aiming_at(
                Target::new(
                    Bound::AtMost(MOST_OF_IO_NS),
                    format!("≤ +{MOST_OF_IO_NS} ns"),
                    median,
                ),
            ),
        );
    }
    Ok(Section::new(
        "What call stacks add to a malloc+free pair, and to I/O",
        "ns",
        rows,
    ))
}
