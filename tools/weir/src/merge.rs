//! `weir merge`: several reports in one.

use std::collections::HashSet;
use std::path::Path;

use weir_report::model::Report;
use weir_report::recording::Merge;

use crate::cli::MergeArgs;
use crate::failure::{Failure, complain};
use crate::report::one_run;
use crate::{batch, export};

/// Reads the reports one after the other, and writes their sum.
pub fn execute(args: &MergeArgs) -> Result<(), Failure> {
    let files = batch::files(&args.reports, Some(&args.out))?;
    if args.one_run {
        return write(&args.out, &one_run::load(&files)?);
    }
    let mut merge = Merge::default();
    let mut settings = HashSet::new();
    batch::each(files, args.skip_unreadable, &mut |of| {
        settings.insert((of.timed_one_in, stacks(&of)));
        merge.add(of);
        Ok(())
    })?;
    let timings: HashSet<u32> = settings.iter().map(|(timed, _)| *timed).collect();
    let stacks: HashSet<u64> = settings
        .iter()
        .filter_map(|(_, stacks)| Some(stacks.as_ref()?.unwrap_or(0)))
        .collect();
    let merged = merge.finish();
    let mut merged = merged.ok_or_else(|| Failure::of_weir("there is no report to merge"))?;
    if timings.len() > 1 || stacks.len() > 1 {
        complain(OTHER_SETTINGS);
        merged.missed.notes.push(OTHER_SETTINGS.to_owned());
    }
    write(&args.out, &merged)
}

fn write(to: &Path, report: &Report) -> Result<(), Failure> {
    export::to_file(Some(to), &|out| {
        serde_json::to_writer(&mut *out, report)?;
        out.write_all(b"\n")
    })
}

const OTHER_SETTINGS: &str = "the reports were made with different settings (--time, --stacks): latencies and call sites of the sum \
    are of parts of the calls";

/// How calls have a call stack: None where there is none, and of samples their distance.
fn stacks(of: &Report) -> Option<Option<u64>> {
    let mut stacks = of
        .processes
        .iter()
        .filter_map(|process| process.stacks.as_ref());
    stacks.next().map(|stacks| stacks.sampled_bytes)
}
