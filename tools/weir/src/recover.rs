//! `weir recover`: a report from the region that a killed program left.

use std::fs::File;

use crate::cli::RecoverArgs;
use crate::failure::Failure;

/// Reads the region and writes the report.
pub fn execute(args: &RecoverArgs) -> Result<(), Failure> {
    File::open(&args.region).map_err(|error| Failure::of_file("read", &args.region, &error))?;
    Err(Failure::of_weir(
        "this build of weir cannot recover regions",
    ))
}
