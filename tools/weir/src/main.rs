//! `weir`: runs a program under Weir, and reads the reports.
//!
//! ```text
//! cli         the command line
//! run         starts a program under the preloaded library and writes the report
//! summary     what `weir run` says at the end
//! report      a report as tables for people
//! recover     a report from a region that a killed program left
//! doctor      whether and how a program can be traced
//! generated   what is made from definitions: schema, completions, manual page
//! output      standard output: its width, its colours, its failures
//! text, units words and numbers for people
//! failure, exit_code   what went wrong
//! stack       enough of it, whatever the limit
//! ```

mod cli;
mod doctor;
mod exit_code;
mod failure;
mod generated;
mod output;
mod recover;
mod report;
mod run;
#[cfg(test)]
#[path = "../tests/command/sample.rs"]
mod sample;
mod stack;
mod summary;
mod text;
mod units;

use std::io::Write;
use std::process::ExitCode;

use cli::{Cli, Command, NoCommand};
use failure::Failure;

fn main() -> ExitCode {
    stack::on_a_large_one(weir)
}

fn weir() -> ExitCode {
    let outcome = match cli::parse(std::env::args_os()) {
        Ok(cli) => execute(&cli),
        Err(NoCommand::Asked(text)) => done(output::print(&text)),
        Err(NoCommand::Failed(failure)) => Err(failure),
    };
    outcome.unwrap_or_else(|failure| {
        // Where standard error is gone too, the exit code has to do.
        let _ = writeln!(std::io::stderr(), "weir: {failure}");
        ExitCode::from(failure.code)
    })
}

fn execute(cli: &Cli) -> Result<ExitCode, Failure> {
    match &cli.command {
        Command::Run(args) => run::execute(args).map(ExitCode::from),
        Command::Report(args) => done(report::execute(args)),
        Command::Recover(args) => done(recover::execute(args)),
        Command::Doctor(args) => done(doctor::execute(args)),
        Command::Schema => done(generated::schema().and_then(|text| output::print(&text))),
        Command::Completions { shell } => done(output::print(&generated::completions(*shell))),
        Command::Man { command } => {
            done(generated::manual(command.as_deref()).and_then(|text| output::print(&text)))
        }
    }
}

fn done(result: Result<(), Failure>) -> Result<ExitCode, Failure> {
    result.map(|()| ExitCode::from(exit_code::SUCCESS))
}
