//! How many samples the writer takes in a second of its own processor time.
//!
//! A thread that only calls malloc and free, with every call timed, makes samples at about the highest
//! possible rate. So the writer never waits, and spends all its processor time on samples.

use std::cell::Cell;

use anyhow::{Context, Result};
use weir_report::model::Latency;

use crate::bench::Bench;
use crate::command::{scratch, succeed};
use crate::contestant::Contestant;
use crate::interleave::{Run, interleave};
use crate::loads::Load;
use crate::product::report;
use crate::section::{Row, Section};
use crate::stats::Spread;
use crate::table::count;
use crate::target::{Bound, Target};
use crate::timing::Timing;

/// What a writer on one core should take, in millions of samples a second.
const LEAST_MILLIONS: f64 = 20.0;

/// How many times the usual number of pairs: a good second.
const LONGER: u64 = 5;

/// The flood, with the writer in `weir` and with the writer in the program.
pub fn measure(bench: &Bench) -> Result<Section> {
    let mut rows = Vec::new();
    let mut notes = Vec::new();
    for (contestant, place) in [
        (Contestant::Weir(Timing::All), "in `weir run`"),
        (Contestant::Preload, "in the program"),
    ] {
        let flood = Flood {
            bench,
            contestant,
            timed: Cell::new(0),
            dropped: Cell::new(0),
        };
        let run: Run = Box::new(|| flood.run());
        let rounds = interleave(bench.few_rounds(), &[run])?;
        let values = rounds.values(0);
        let target = Target::new(
            Bound::AtLeast(LEAST_MILLIONS),
            format!("≥ {LEAST_MILLIONS} million/s"),
            Spread::of(&values).median,
        );
        rows.push(Row::values(format!("writer {place}"), values).aiming_at(target));
        notes.push(format!(
            "Of the {} calls timed by all runs with the writer {place}, {} found the ring full.",
            count(flood.timed.get()),
            count(flood.dropped.get()),
        ));
    }
    let section = Section::new(
        "Samples that the writer takes on one core",
        "million samples/s",
        rows,
    );
    Ok(notes.into_iter().fold(section, Section::note))
}

struct Flood<'a> {
    bench: &'a Bench,
    contestant: Contestant,
    timed: Cell<u64>,
    dropped: Cell<u64>,
}

impl Flood<'_> {
    /// Millions of samples a second of the writer's processor time.
    fn run(&self) -> Result<f64> {
        let Self {
            bench, contestant, ..
        } = *self;
        let folder = scratch()?;
        let load = Load::Pairs { threads: 1 };
        let program = bench.loads.program(load);
        let mut command = bench.command(contestant, program.as_os_str(), folder.path());
        command
            .args(load.arguments(LONGER * bench.steps(contestant, load)))
            .env("WEIR_TIME", "all");
        succeed(&mut command)?;
        let report = report(folder.path())?;
        let (timed, dropped) = samples(
            report
                .functions
                .values()
                .filter_map(|function| function.latency.as_deref()),
        );
        self.timed.set(self.timed.get() + timed);
        self.dropped.set(self.dropped.get() + dropped);
        millions_a_second(timed.saturating_sub(dropped), report.tool.writer_cpu_ns)
            .context("the report has no processor time of the writer")
    }
}

/// Timed calls, and those of them whose sample was dropped.
fn samples<'a>(latencies: impl Iterator<Item = &'a Latency>) -> (u64, u64) {
    latencies.fold((0, 0), |(timed, dropped), latency| {
        (timed + latency.timed, dropped + latency.dropped)
    })
}

fn millions_a_second(samples: u64, cpu_ns: u64) -> Option<f64> {
    (cpu_ns > 0).then(|| samples as f64 * 1e3 / cpu_ns as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_per_processor_time() {
        assert_eq!(millions_a_second(50_000_000, 2_000_000_000), Some(25.0));
        assert_eq!(millions_a_second(1, 0), None);
    }

    #[test]
    fn samples_are_summed_over_the_functions() {
        let latency = |timed, dropped| Latency {
            timed,
            dropped,
            ..Latency::default()
        };
        assert_eq!(samples([latency(100, 3), latency(20, 0)].iter()), (120, 3));
    }
}
