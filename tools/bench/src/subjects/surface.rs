//! Steps of other I/O: a socket, stdio, opening and closing.

use anyhow::Result;

use crate::bench::Bench;
use crate::contestant::Contestant;
use crate::interleave::interleave;
use crate::loads::Load;
use crate::section::{Row, Section};
use crate::target::{Bound, Target};
use crate::timing::Timing;

/// What `surface.c` calls them, and what they are.
const STEPS: [(&str, &str); 5] = [
    ("echo", "1 byte to and fro over TCP"),
    ("ball", "1 byte to and fro between two threads"),
    ("putc", "`putc`"),
    ("printf", "`fprintf` of a line"),
    ("open", "`open` and `close`"),
];

/// How long a step may take, of what it takes without a tool, where each call that waits is made in two parts.
const MOST_IN_PARTS: f64 = 1.6;

/// Each of the steps without a tool, under Weir, and under strace.
pub fn measure(bench: &Bench) -> Result<Section> {
    let mut rows = Vec::new();
    for (kind, title) in STEPS {
        let load = Load::Surface { kind };
        let contender = |contestant| bench.contender(contestant, load, "ns_per_step");
        let mut tools = vec![Contestant::Weir(Timing::Sampled), Contestant::Preload];
        if matches!(kind, "echo" | "ball") {
            tools.push(Contestant::Parted);
        }
        let mut runs = vec![contender(Contestant::NoTool)];
        runs.extend(tools.iter().map(|&tool| contender(tool)));
        let rounds = interleave(bench.rounds, &runs)?;
        let name = |contestant: Contestant| format!("{title}, {}", contestant.label());
        rows.push(Row::measured(name(Contestant::NoTool), &rounds, 0));
        for (place, contestant) in (1..).zip(tools) {
            let ratio = rounds.ratio(place, 0);
            let row = Row::measured(name(contestant), &rounds, place).over_no_tool(ratio);
            rows.push(match contestant {
                Contestant::Parted => row.aiming_at(Target::new(
                    Bound::AtMost(MOST_IN_PARTS),
                    format!("≤ {MOST_IN_PARTS} × no tool"),
                    ratio.median,
                )),
                _ => row,
            });
        }
        if !Contestant::Strace.is_installed() {
            rows.push(Row::not_installed(name(Contestant::Strace)));
            continue;
        }
        let runs = [contender(Contestant::NoTool), contender(Contestant::Strace)];
        let rounds = interleave(bench.few_rounds(), &runs)?;
        let row = Row::measured(name(Contestant::Strace), &rounds, 1);
        rows.push(row.over_no_tool(rounds.ratio(1, 0)));
    }
    Ok(Section::new(
        "Sockets, stdio, opening and closing",
        "ns per step",
        rows,
    ))
}
