//! What a second thread adds to the cost of the first: nothing, if they share nothing.

use anyhow::Result;

use crate::bench::Bench;
use crate::contestant::Contestant;
use crate::interleave::interleave;
use crate::loads::Load;
use crate::section::{Row, Section};
use crate::stats::Spread;
use crate::target::{Bound, Target};
use crate::timing::Timing;

/// How much more than in one thread a pair's cost may be in each of two.
const MOST_TO_ONE_THREAD: f64 = 1.10;
/// The same with call stacks.
const MOST_TO_ONE_THREAD_WITH_STACKS: f64 = 1.15;

/// The tool's cost of a pair, which is its time less the time without a tool, in each of two threads
/// against one thread. All four are neighbours in each round.
pub fn measure(bench: &Bench) -> Result<Section> {
    let contender =
        |contestant, threads| bench.contender(contestant, Load::Pairs { threads }, "ns_per_pair");
    let mut rows = Vec::new();
    let contestants = Timing::ALL
        .into_iter()
        .flat_map(|timing| [Contestant::Limit(timing), Contestant::Weir(timing)])
        .chain([Contestant::Stacks]);
    for contestant in contestants {
        let runs = [
            contender(Contestant::NoTool, 1),
            contender(contestant, 1),
            contender(Contestant::NoTool, 2),
            contender(contestant, 2),
        ];
        let rounds = interleave(bench.rounds, &runs)?;
        let values = rounds.per_round(|round| (round[3] - round[2]) / (round[1] - round[0]));
        let ratio = Spread::of(&values).median;
        let row = Row::values(contestant.label(), values);
        let most = match contestant {
            Contestant::Weir(_) => Some(MOST_TO_ONE_THREAD),
            Contestant::Stacks => Some(MOST_TO_ONE_THREAD_WITH_STACKS),
            _ => None,
        };
        rows.push(match most {
            Some(most) => row.aiming_at(Target::new(
                Bound::AtMost(most),
                format!("≤ {most:.2}"),
                ratio,
            )),
            None => row,
        });
    }
    Ok(Section::new(
        "What the tool adds to a pair in each of 2 threads, against 1 thread",
        "× the cost in 1 thread",
        rows,
    ))
}
