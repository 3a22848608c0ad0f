//! `weir export --format parquet`: many reports as one data set of Parquet tables, for DuckDB, ClickHouse, pandas.
//!
//! ```text
//! run        what a run is known by, and its images
//! hash       by which the same thing is known in every run
//! functions  tables of process images, functions, errors, latencies
//! files      tables of files and sockets
//! stacks     tables of call sites, stacks, names of code
//! missed     the table of what was not observed
//! writer     a table as a Parquet file
//! ```
//!
//! docs/fleet.md describes the data set. A run has a file in each table. It is replaced when the run is exported again, so no run
//! counts twice.

mod files;
mod functions;
mod hash;
mod missed;
mod run;
mod stacks;
mod writer;

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use parquet::errors::ParquetError;
use tempfile::NamedTempFile;
use weir_report::model::Report;

use super::columns::{Column, ERROR, FILE, FUNCTION, PROCESS};
use crate::batch;
use crate::failure::Failure;
use run::{OF_IMAGE, Run};
use writer::Writer;

/// Adds reports to the data set in a directory, which is made if it is missing.
pub fn write(reports: &[PathBuf], skip_unreadable: bool, out: &Path) -> Result<(), Failure> {
    let files = batch::files(reports, None)?;
    if out.exists() && !out.is_dir() {
        let message = format!("cannot write to {}: it is not a directory", out.display());
        let remedy = "--out names the directory of a data set, which is made if it is missing";
        return Err(Failure::of_weir(message).with_remedy(remedy));
    }
    make(out)?;
    batch::each(files, skip_unreadable, &mut |report| add(&report, out))
}

/// A table of the data set.
struct Table {
    name: &'static str,
    columns: Vec<Column>,
    /// By which columns the rows of a file are sorted.
    sorted_by: &'static [&'static str],
    rows: fn(&Run<'_>, &mut Writer) -> Result<(), ParquetError>,
}

impl Table {
    /// All of them. That of runs is the last: who finds a run there finds all of it.
    fn all() -> [Table; 11] {
        let of_image = |columns: &[Column]| [&OF_IMAGE, columns].concat();
        [
            Table {
                name: "process",
                columns: [&OF_IMAGE[..], &PROCESS, &functions::OF_PROCESS].concat(),
                sorted_by: &[],
                rows: functions::processes,
            },
            Table {
                name: "function",
                columns: of_image(&FUNCTION),
                sorted_by: &["function"],
                rows: functions::functions,
            },
            Table {
                name: "error",
                columns: of_image(&ERROR),
                sorted_by: &["function"],
                rows: functions::errors,
            },
            Table {
                name: "latency",
                columns: of_image(&functions::LATENCY),
                sorted_by: &["function", "ge_ns"],
                rows: functions::latencies,
            },
            Table {
                name: "file",
                columns: of_image(&FILE),
                sorted_by: &["kind", "name"],
                rows: files::files,
            },
            Table {
                name: "file_latency",
                columns: of_image(&files::LATENCY),
                sorted_by: &["kind", "name"],
                rows: files::latencies,
            },
            Table {
                name: "site",
                columns: of_image(&stacks::SITE),
                sorted_by: &["function", "stack_hash"],
                rows: stacks::call_sites,
            },
            Table {
                name: "stack",
                columns: stacks::STACK.into(),
                sorted_by: &["stack_hash"],
                rows: stacks::frames,
            },
            Table {
                name: "symbol",
                columns: stacks::SYMBOL.into(),
                sorted_by: &["code_hash"],
                rows: stacks::symbols,
            },
            Table {
                name: "missed",
                columns: missed::MISSED.into(),
                sorted_by: &[],
                rows: missed::missed,
            },
            Table {
                name: "run",
                columns: run::RUN.into(),
                sorted_by: &[],
                rows: run::row,
            },
        ]
    }
}

/// Adds a report, or replaces what an earlier report of the same run has added. All files are complete before the first takes its place.
fn add(report: &Report, out: &Path) -> Result<(), Failure> {
    let run = Run::of(report);
    let mut files: Vec<(NamedTempFile, PathBuf)> = Vec::new();
    for table in Table::all() {
        let directory = out.join(table.name).join(run.partition());
        let path = directory.join(format!("{}.parquet", run.name));
        make(&directory)?;
        let file = written(&table, &run, &directory)
            .map_err(|error| Failure::of_file("write", &path, system_error(error)))?;
        files.push((file, path));
    }
    for (file, path) in files {
        let moved = file.persist(&path);
        moved.map_err(|failed| Failure::of_file("write", &path, failed.error))?;
    }
    Ok(())
}

/// The rows of a table that are a run's, in a file without a name.
fn written(table: &Table, run: &Run<'_>, directory: &Path) -> Result<NamedTempFile, ParquetError> {
    let file = tempfile::Builder::new()
        // What begins with a dot, readers leave out.
        .prefix(".weir.")
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(directory)?;
    let to = file.as_file().try_clone()?;
    let mut writer = Writer::new(to, table.name, &table.columns, table.sorted_by)?;
    (table.rows)(run, &mut writer)?;
    writer.finish()?;
    Ok(file)
}

fn make(directory: &Path) -> Result<(), Failure> {
    fs::create_dir_all(directory).map_err(|error| Failure::of_file("make", directory, error))
}

/// The error of the system that is in one of the writer.
fn system_error(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(inner) => match inner.downcast() {
            Ok(error) => *error,
            Err(other) => io::Error::other(other),
        },
        other => io::Error::other(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn a_full_disk_is_the_system_s_error() {
        let report = sample::report();
        let run = Run::of(&report);
        for table in Table::all() {
            let full = fs::File::options().write(true).open("/dev/full");
            let full = full.expect("a device");
            let writer = Writer::new(full, table.name, &table.columns, table.sorted_by);
            let written = writer.and_then(|mut writer| {
                (table.rows)(&run, &mut writer)?;
                writer.finish()
            });
            let error = written.map_err(system_error).expect_err("a full disk");
            assert_eq!(error.kind(), io::ErrorKind::StorageFull, "{}", table.name);
        }
    }

    /// A file says by which columns its rows are sorted.
    #[test]
    fn tables_are_sorted_by_columns_that_they_have() {
        for table in Table::all() {
            let names: Vec<&str> = table.columns.iter().map(|column| column.name).collect();
            let is_there = |name: &&str| names.contains(name);
            assert!(table.sorted_by.iter().all(is_there), "{}", table.name);
            let mut once = names.clone();
            once.sort_unstable();
            once.dedup();
            assert_eq!(once.len(), names.len(), "{}: {names:?}", table.name);
        }
    }
}
