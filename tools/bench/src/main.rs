//! `weir-bench`: what Weir costs, measured beside the same program without a tool, beside its
//! peers, and beside the least that a preloaded library can do.
//!
//! Every performance figure is a ratio of neighbours: the contenders of a comparison run one after
//! the other, round after round, and each round gives one ratio. Machines that are shared change
//! their speed from second to second; neighbours change it together.
//!
//! | module | holds |
//! | --- | --- |
//! | [`cli`] | the command line, and the order of the steps |
//! | [`document`] | the page that the results are written into |
//! | [`subjects`] | what is measured, a file for each subject |
//! | [`luajit`] | the sources of a C project that is built |
//! | [`machine`] | where it was measured |
//! | [`mod@bench`] | what a measurement uses: the product, the compiled loads, how long to measure |
//! | [`contestant`] | the ways to run a load: without a tool, under Weir, under a peer |
//! | [`loads`] | the C programs that are run, and the C limit |
//! | [`product`] | builds Weir, finds it, reads its reports |
//! | [`browser`] | Chromium, driven by its developer tools |
//! | [`timing`] | which allocation calls are timed |
//! | [`command`] | runs commands, and finds them |
//! | [`section`] | the result of a subject |
//! | [`interleave`] | rounds of neighbours |
//! | [`target`] | aims and verdicts |
//! | [`table`] | Markdown |
//! | [`stats`] | medians and ranges |
//!
//! A module uses those below it in this table (tested: `tests/layers.rs`).

mod bench;
mod browser;
mod cli;
mod command;
mod contestant;
mod document;
mod interleave;
mod loads;
mod luajit;
mod machine;
mod product;
mod section;
mod stats;
mod subjects;
mod table;
mod target;
mod timing;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match cli::Arguments::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("weir-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
