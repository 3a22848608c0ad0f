//! `weir`: runs a program under Weir, and reads the reports.
//!
//! | module | holds |
//! | --- | --- |
//! | [`check`] | whether a program keeps its budget |
//! | [`diff`] | what differs between reports |
//! | [`merge`] | several reports in one |
//! | [`html`] | a report as one page for browsers |
//! | [`top`] | what programs do while they run |
//! | [`recover`] | a report from a region that a killed program left |
//! | [`run`] | starts a program under the preloaded library and writes the report |
//! | [`doctor`] | whether and how a program can be traced |
//! | [`library`] | the library, in a place that LD_PRELOAD can name; the header |
//! | [`session`] | the directory in which the program's processes make their regions |
//! | [`kept`] | files that the command contains, in the user's cache |
//! | [`trust`] | whether other users can reach a directory |
//! | [`summary`] | what `weir run` says at the end |
//! | [`symbolize`] | names in a report, for where its files are not |
//! | [`export`] | call sites in formats of other tools |
//! | [`batch`] | many reports, one after the other |
//! | [`overwrite`] | no command writes over what it reads |
//! | [`generated`] | what is made from definitions: schemas, completions, manual page |
//! | [`report`] | a report as tables for people, its totals for scripts |
//! | [`sites`] | where in a program its calls came from |
//! | [`symbols`] | names for addresses of code |
//! | [`openmetrics`] | the text format of OpenMetrics |
//! | [`output`] | standard output: its width, its colours, its failures |
//! | [`cli`] | the command line |
//! | [`terminal`] | the terminal, for a page beside a program |
//! | [`failure`] | what went wrong, why, and what to do |
//! | [`memory`] | what weir does without memory |
//! | [`exit_code`] | the exit codes |
//! | [`text`] | words for people |
//! | [`units`] | numbers for people |
//! | [`inherited`] | what weir was started with and a program must get |
//! | [`mod@stack`] | enough of it, whatever the limit |
//! | [`arch`] | what depends on the processor |
//!
//! A module uses those below it in this table (tested: `tests/layers.rs`).

#![cfg_attr(not(test), no_main)]

mod arch;
mod batch;
mod check;
mod cli;
mod diff;
mod doctor;
mod exit_code;
mod export;
mod failure;
mod generated;
mod html;
mod inherited;
mod kept;
mod library;
mod memory;
mod merge;
mod openmetrics;
mod output;
mod overwrite;
mod recover;
mod report;
mod run;
#[cfg(test)]
#[path = "../tests/command/sample.rs"]
mod sample;
mod session;
mod sites;
mod stack;
mod summary;
mod symbolize;
mod symbols;
mod terminal;
mod text;
mod top;
mod trust;
mod units;

use std::ffi::{c_char, c_int};
use std::panic::catch_unwind;

use cli::{Cli, Command, NoCommand};
use exit_code::ProgramEnd;
use failure::Failure;

/// The exit code of a panic, as everywhere in Rust.
const PANICKED: c_int = 101;

/// In place of the one of Rust's runtime, which reads the memory maps and installs handlers of faults, to say that a stack
/// overflowed: that takes a tenth of a millisecond, and `weir run` is to cost a program little more. Of what it does else,
/// [`inherited::take`] does what matters here.
#[cfg_attr(not(test), unsafe(no_mangle))]
extern "C" fn main(_: c_int, _: *const *const c_char) -> c_int {
    inherited::take();
    // The message of a panic has been printed already.
    catch_unwind(|| stack::on_a_large_one(weir)).map_or(PANICKED, c_int::from)
}

fn weir() -> u8 {
    let outcome = match cli::parse(std::env::args_os()) {
        Ok(cli) => execute(&cli),
        Err(NoCommand::Asked(text)) => done(output::print(&text)),
        Err(NoCommand::Failed(failure)) => Err(failure),
    };
    outcome.unwrap_or_else(|failure| {
        failure::complain(&failure.in_one_line());
        failure.code
    })
}

fn execute(cli: &Cli) -> Result<u8, Failure> {
    match &cli.command {
        Command::Run(args) => run::execute(args, top::of_run).map(ProgramEnd::exit_code),
        Command::Report(args) => done(report::execute(args)),
        Command::Diff(args) => done(diff::execute(args)),
        Command::Merge(args) => done(merge::execute(args)),
        Command::Check(args) => check::execute(args),
        Command::Export(args) => done(export::export(args)),
        Command::Top(args) => done(top::execute(args)),
        Command::Html(args) => done(html::execute(args)),
        Command::Flame(args) => done(export::flame(args)),
        Command::Symbolize(args) => done(symbolize::execute(args)),
        Command::Recover(args) => done(recover::execute(args)),
        Command::Doctor(args) => done(doctor::execute(args)),
        Command::Library(args) => done(library::execute(args)),
        Command::Schema { totals } => {
            let schema = match totals {
                true => generated::totals_schema(),
                false => generated::schema(),
            };
            done(schema.and_then(|text| output::print(&text)))
        }
        Command::Completions { shell } => done(output::print(&generated::completions(*shell))),
        Command::Man { command } => {
            done(generated::manual(command.as_deref()).and_then(|text| output::print(&text)))
        }
    }
}

fn done(result: Result<(), Failure>) -> Result<u8, Failure> {
    result.map(|()| exit_code::SUCCESS)
}
