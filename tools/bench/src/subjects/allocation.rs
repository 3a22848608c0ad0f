//! One malloc+free pair: in one thread, in two, and below 30 frames.

use anyhow::Result;

use crate::bench::Bench;
use crate::contestant::Contestant;
use crate::interleave::interleave;
use crate::loads::Load;
use crate::section::{Row, Section};
use crate::target::{Bound, Target};
use crate::timing::Timing;

/// How much more than the C limit a pair may cost under Weir.
const MOST_TO_LIMIT: f64 = 1.10;

const UNIT: &str = "ns_per_pair";

/// Pairs in `threads` threads.
pub fn pairs(bench: &Bench, threads: u32) -> Result<Section> {
    let title = match threads {
        1 => "malloc+free pair, 1 thread".to_owned(),
        _ => format!("malloc+free pair in each of {threads} threads"),
    };
    measure(bench, Load::Pairs { threads }, title, true)
}

/// Pairs below 30 frames. Its ratios to the C limit bear no aim: the descent, which is most of the
/// time, would make any aim easy.
pub fn deep(bench: &Bench) -> Result<Section> {
    measure(
        bench,
        Load::Deep { frames: 30 },
        "malloc+free pair below 30 frames, 1 thread".into(),
        false,
    )
}

fn measure(bench: &Bench, load: Load, title: String, with_targets: bool) -> Result<Section> {
    let contender = |contestant| bench.contender(contestant, load, UNIT);
    let mut no_tool = Vec::new();
    let mut rows = Vec::new();

    for timing in Timing::ALL {
        let (limit, weir) = (Contestant::Limit(timing), Contestant::Weir(timing));
        let runs = [
            contender(Contestant::NoTool),
            contender(limit),
            contender(weir),
        ];
        let rounds = interleave(bench.rounds, &runs)?;
        no_tool.extend(rounds.values(0));
        rows.push(Row::measured(limit.label(), &rounds, 1).over_no_tool(rounds.ratio(1, 0)));
        let to_limit = rounds.ratio(2, 1);
        let row = Row::measured(weir.label(), &rounds, 2)
            .over_no_tool(rounds.ratio(2, 0))
            .over_limit(to_limit);
        rows.push(match with_targets {
            true => row.aiming_at(Target::new(
                Bound::AtMost(MOST_TO_LIMIT),
                format!("≤ {MOST_TO_LIMIT:.2} × C limit"),
                to_limit.median,
            )),
            false => row,
        });
    }

    for contestant in [Contestant::Preload]
        .into_iter()
        .chain(Contestant::ALLOCATION_PEERS)
    {
        if !contestant.is_installed() {
            rows.push(Row::not_installed(contestant.label()));
            continue;
        }
        let count = if contestant == Contestant::Preload {
            bench.rounds
        } else {
            bench.few_rounds()
        };
        let rounds = interleave(
            count,
            &[contender(Contestant::NoTool), contender(contestant)],
        )?;
        no_tool.extend(rounds.values(0));
        rows.push(Row::measured(contestant.label(), &rounds, 1).over_no_tool(rounds.ratio(1, 0)));
    }

    rows.insert(0, Row::values(Contestant::NoTool.label(), no_tool));
    Ok(Section::new(title, "ns per pair", rows))
}
