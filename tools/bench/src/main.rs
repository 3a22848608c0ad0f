//! `weir-bench`: what Weir costs, measured beside the same program without a tool, beside its
//! peers, and beside the least that a preloaded library can do.
//!
//! Every performance figure is a ratio of neighbours: the contenders of a comparison run one after
//! the other, round after round, and each round gives one ratio. Machines that are shared change
//! their speed from second to second; neighbours change it together.
//!
//! | module | holds |
//! | --- | --- |
//! | [`mod@bench`] | what a measurement has at hand: the product, the compiled loads, how long to measure |
//! | [`product`] | building Weir, finding it, reading its reports |
//! | [`loads`] | the C programs that are run, and the C limit |
//! | [`luajit`] | the sources of a C project that is built |
//! | [`contestant`] | the ways to run a load: without a tool, under Weir, under a peer |
//! | [`interleave`], [`stats`] | rounds of neighbours; medians and ranges |
//! | [`target`], [`table`], [`section`] | aims and verdicts; Markdown; a subject's result |
//! | [`subjects`] | what is measured, a file per subject |
//! | [`machine`], [`document`] | where it was measured; the page that the results are written into |

mod bench;
mod cli;
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
