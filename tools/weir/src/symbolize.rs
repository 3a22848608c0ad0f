//! `weir symbolize`: writes the names of code into a report, for where its files are not.

use std::io::{self, Write};
use std::path::Path;

use crate::cli::{STANDARD_OUTPUT, SymbolizeArgs};
use crate::failure::Failure;
use crate::sites::{self, Named};
use crate::{export, output, report, text, units};

/// Reads the report, finds the names, and writes the report with them.
pub fn execute(args: &SymbolizeArgs) -> Result<(), Failure> {
    let out = match &args.out {
        Some(out) => out,
        None if args.file == Path::new("-") => {
            return Err(Failure::of_weir("cannot write back to standard input")
                .with_remedy("-o FILE says where the report with names goes"));
        }
        None if args.file.is_dir() => {
            return Err(
                Failure::of_weir("cannot write back to the files of a directory")
                    .with_remedy("-o FILE says where the one report with names goes"),
            );
        }
        None => &args.file,
    };
    let mut report = report::load(&args.file)?;
    let named = sites::name(&mut report.processes, &args.debug_dir)?;
    export::to_file(Some(out), &|out| {
        serde_json::to_writer(&mut *out, &report)?;
        out.write_all(b"\n")
    })?;
    let said = said(&named);
    if out == Path::new(STANDARD_OUTPUT) {
        // The report is written. If standard error is closed, there is no reader.
        let _ = io::stderr().lock().write_all(said.as_bytes());
        return Ok(());
    }
    output::print(&said)
}

fn said(named: &Named) -> String {
    let mut lines = format!(
        "{}: {} have the name of a function, {} a line\n",
        text::counted(named.places, "place", "places"),
        units::count(named.functions),
        units::count(named.lines),
    );
    for (module, lack) in &named.lacks {
        let id = module.build_id.as_deref();
        let id = id.map_or(String::new(), |id| format!(" (build id {id})"));
        let line = format!("{} {lack}{id}", module.path);
        lines.push_str(&text::printable(&line));
        lines.push('\n');
    }
    lines
}
