//! `weir run`: starts a program under the preloaded library and writes the report.

use crate::cli::RunArgs;
use crate::doctor;
use crate::exit_code::ProgramEnd;
use crate::failure::Failure;

/// Runs the program to its end, and tells how it ended.
pub fn execute(args: &RunArgs) -> Result<ProgramEnd, Failure> {
    if let Some(program) = args.program.first() {
        doctor::inspect(program)?;
    }
    Err(Failure::of_weir("this build of weir cannot run programs"))
}
