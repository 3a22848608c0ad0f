//! The reports of ten thousand runs: their sum, the tables of a data set, and the answer to a query of `docs/fleet.md`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::recorded;
use crate::bench::Bench;
use crate::command::{Measured, find_program, measure as run, scratch, succeed};
use crate::loads::{Loads, parse_result};
use crate::section::{Row, Section};
use crate::table::{NOT_INSTALLED, Table, count, number};

/// The page whose query is answered.
const PAGE: &str = include_str!("../../../../docs/fleet.md");
/// The runs of a week, of which one starts each minute.
const RUNS: u64 = 10_000;
/// Runs with `--quick`.
const QUICK_RUNS: u64 = 100;
/// From the start of a run to that of the next one.
const A_MINUTE_NS: u64 = 60_000_000_000;

/// What each step takes. The steps are long, and each is done once.
pub fn measure(bench: &Bench) -> Result<Section> {
    let runs = if bench.quick { QUICK_RUNS } else { RUNS };
    let folder = scratch()?;
    let reports = folder.path().join("reports");
    let written = write_reports(bench, &reports, runs)?;

    let weir = |arguments: &[&str]| {
        let mut command = Command::new(&bench.product.weir);
        command.args(arguments).arg(&reports);
        command.current_dir(folder.path());
        command
    };
    let merged = run(&mut weir(&["merge", "--out", "sum.json"]))?;
    let exported = run(&mut weir(&[
        "export", "--format", "parquet", "--out", "fleet",
    ]))?;
    let answered = answer(folder.path())?;
    let data_set = Files::below(&folder.path().join("fleet"))?;

    let mut table = Table::new(["", "s", "peak memory, MiB"]);
    let mut rows = Vec::new();
    let steps = [
        ("`weir merge`", Some(merged)),
        ("`weir export --format parquet`", Some(exported)),
        ("percentiles of each function, by DuckDB", answered),
    ];
    for (name, measured) in steps {
        let cells = match &measured {
            Some(of) => [number(of.seconds), number(of.peak_mib)],
            None => [NOT_INSTALLED.to_owned(), String::new()],
        };
        table.push([&[name.to_owned()], &cells[..]].concat());
        let values = |of: fn(&Measured) -> f64| measured.iter().map(of).collect();
        rows.push(Row::values(name, values(|of| of.seconds)));
        let memory = format!("{name}, peak memory in MiB");
        rows.push(Row::values(memory, values(|of| of.peak_mib)));
    }
    let mib = |bytes: u64| number(bytes as f64 / f64::from(1 << 20));
    let section = Section::new("The reports of many runs", "s", rows).shown_as(table);
    Ok(section.note(format!(
        "The {} reports have {} MiB, the {} files of the data set {} MiB.",
        count(runs),
        mib(written),
        count(data_set.number),
        mib(data_set.bytes),
    )))
}

/// Writes a small report so many times, each a minute later. The bytes of all.
fn write_reports(bench: &Bench, to: &Path, runs: u64) -> Result<u64> {
    let first = recorded::small(bench)?;
    fs::create_dir(to)?;
    let mut bytes = 0;
    for run in 0..runs {
        let mut report = first.clone();
        recorded::delay(&mut report, run * A_MINUTE_NS);
        let json = serde_json::to_vec(&report)?;
        bytes += json.len() as u64;
        fs::write(to.join(format!("{run}.json")), json)?;
    }
    Ok(bytes)
}

/// The time that the answer took, once DuckDB was loaded, and the memory of all. None where DuckDB is not installed.
fn answer(folder: &Path) -> Result<Option<Measured>> {
    let Some(python) = python_with_duckdb() else {
        return Ok(None);
    };
    let files = ["DuckDB: views", "percentiles"].map(|name| (format!("{name}.sql"), name));
    for (file, name) in &files {
        let query = query(name).with_context(|| format!("docs/fleet.md has no query {name}"))?;
        fs::write(folder.join(file), query)?;
    }
    let mut command = Command::new(python);
    command.arg(Loads::sources().join("query.py"));
    command.args(files.map(|(file, _)| file));
    let measured = run(command.current_dir(folder))?;
    let rows = parse_result(&measured.stdout, "rows");
    ensure!(rows > Some(0.0), "DuckDB found nothing in the data set");
    let seconds = parse_result(&measured.stdout, "seconds").context("query.py printed no time")?;
    Ok(Some(Measured {
        seconds,
        ..measured
    }))
}

/// A query of the page.
fn query(name: &str) -> Option<&'static str> {
    let (_, rest) = PAGE.split_once(&format!("```sql\n-- {name}\n"))?;
    rest.split_once("\n```").map(|(query, _)| query)
}

/// The interpreter that `tests/venv` made in the folder of builds, or that of the system.
fn python_with_duckdb() -> Option<PathBuf> {
    let executable = std::env::current_exe().ok();
    let builds = executable.as_ref().and_then(|path| path.parent()?.parent());
    let of_tests = builds.map(|builds| builds.join("venv/bin/python"));
    let mut candidates = of_tests.into_iter().chain(find_program("python3"));
    candidates.find(|python| succeed(Command::new(python).args(["-c", "import duckdb"])).is_ok())
}

/// How many files there are, and how large they are together.
#[derive(Debug, Default, PartialEq)]
struct Files {
    number: u64,
    bytes: u64,
}

impl Files {
    fn below(folder: &Path) -> Result<Files> {
        let mut files = Files::default();
        let mut folders = vec![folder.to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder)? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    folders.push(entry.path());
                } else {
                    files.number += 1;
                    files.bytes += entry.metadata()?.len();
                }
            }
        }
        Ok(files)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_the_queries() {
        let views = query("DuckDB: views").expect("views");
        assert!(views.starts_with("CREATE VIEW run"), "{views}");
        let percentiles = query("percentiles").expect("a query");
        assert!(percentiles.contains("p99_ns"), "{percentiles}");
        assert_eq!(query("nothing"), None);
    }

    #[test]
    fn files_are_counted_in_all_folders() {
        let folder = scratch().unwrap();
        fs::create_dir_all(folder.path().join("a/b")).unwrap();
        for (file, text) in [("one", "12"), ("a/two", ""), ("a/b/three", "345")] {
            fs::write(folder.path().join(file), text).unwrap();
        }
        let expected = Files {
            number: 3,
            bytes: 5,
        };
        assert_eq!(Files::below(folder.path()).unwrap(), expected);
    }
}
