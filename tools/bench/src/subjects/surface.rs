//! Steps of other I/O: a socket, stdio, opening and closing.

use anyhow::Result;

use crate::bench::Bench;
use crate::contestant::{Contestant, Timing};
use crate::interleave::interleave;
use crate::loads::Load;
use crate::section::{Row, Section};

/// What `surface.c` calls them, and what they are.
const STEPS: [(&str, &str); 4] = [
    ("echo", "1 byte to and fro over TCP"),
    ("putc", "`putc`"),
    ("printf", "`fprintf` of a line"),
    ("open", "`open` and `close`"),
];

/// Each of the steps without a tool, under Weir, and under strace.
pub fn measure(bench: &Bench) -> Result<Section> {
    let mut rows = Vec::new();
    for (kind, title) in STEPS {
        let load = Load::Surface { kind };
        let contender = |contestant| bench.contender(contestant, load, "ns_per_step");
        let (weir, preload) = (Contestant::Weir(Timing::Sampled), Contestant::Preload);
        let runs = [
            contender(Contestant::NoTool),
            contender(weir),
            contender(preload),
        ];
        let rounds = interleave(bench.rounds, &runs)?;
        let name = |contestant: Contestant| format!("{title}, {}", contestant.label());
        rows.push(Row::measured(name(Contestant::NoTool), &rounds, 0));
        for (place, contestant) in [(1, weir), (2, preload)] {
            let row = Row::measured(name(contestant), &rounds, place);
            rows.push(row.over_no_tool(rounds.ratio(place, 0)));
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
