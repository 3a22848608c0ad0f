//! Processor time while the program sleeps: the writer polls, which costs time.

use std::time::Instant;

use anyhow::{Context, Result};
use nix::sys::resource::{UsageWho, getrusage};

use crate::bench::Bench;
use crate::command::{scratch, succeed};
use crate::contestant::Contestant;
use crate::interleave::{Run, interleave};
use crate::section::{Row, Section};
use crate::stats::Spread;
use crate::target::{Bound, Target};
use crate::timing::Timing;

/// The share of a core that Weir may use while the program idles, in percent.
const MOST_PERCENT: f64 = 0.5;

/// The share of a core that `sleep` and its tool use, start and end included.
pub fn measure(bench: &Bench) -> Result<Section> {
    let seconds = if bench.quick { 1 } else { 20 };
    let mut rows = Vec::new();
    for contestant in [Contestant::Weir(Timing::Sampled), Contestant::Preload] {
        let runs = [
            share_percent(bench, Contestant::NoTool, seconds),
            share_percent(bench, contestant, seconds),
        ];
        let rounds = interleave(1, &runs)?;
        let added = rounds.per_round(|round| round[1] - round[0]);
        let median = Spread::of(&added).median;
        rows.push(
            Row::values(contestant.label(), added).aiming_at(Target::new(
                Bound::AtMost(MOST_PERCENT),
                format!("< {MOST_PERCENT} %"),
                median,
            )),
        );
    }
    Ok(Section::new(
        format!("Processor time added to `sleep {seconds}`"),
        "% of a core",
        rows,
    ))
}

fn share_percent(bench: &Bench, contestant: Contestant, seconds: u32) -> Run<'_> {
    Box::new(move || {
        let folder = scratch()?;
        let mut command = bench.command(contestant, "sleep".as_ref(), folder.path());
        command.arg(seconds.to_string());
        let (before, begin) = (children_seconds()?, Instant::now());
        succeed(&mut command)?;
        Ok((children_seconds()? - before) / begin.elapsed().as_secs_f64() * 100.0)
    })
}

/// Processor time, in seconds, of all children that have been waited for, and of theirs.
fn children_seconds() -> Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).context("getrusage failed")?;
    let seconds =
        |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    Ok(seconds(usage.user_time()) + seconds(usage.system_time()))
}
