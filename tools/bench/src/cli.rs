//! The command line, and the order of the steps.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use serde::Serialize;

use crate::bench::Bench;
use crate::document::{TEMPLATE, fill};
use crate::loads::Loads;
use crate::machine::{Machine, load_average};
use crate::product::Product;
use crate::section::Section;
use crate::subjects::Subject;

/// Rounds of a comparison, where the command line says nothing.
const ROUNDS: usize = 31;
/// Rounds with `--quick`.
const QUICK_ROUNDS: usize = 2;
/// A load average of the last minute from which the machine counts as busy.
const BUSY: f64 = 0.5;

/// Measure what Weir costs, beside no tool, its peers, and the least that a preload can do
#[derive(Debug, Parser)]
#[command(name = "weir-bench", version)]
pub struct Arguments {
    /// Run everything for a moment, to see that it runs; the figures mean nothing
    #[arg(long, conflicts_with_all = ["write", "runs"])]
    quick: bool,
    /// Measure these subjects only
    #[arg(long, value_name = "NAME", num_args = 1.., conflicts_with = "write")]
    only: Vec<Subject>,
    /// Rounds of a comparison; slow contenders get a quarter of them
    #[arg(long, value_name = "N", default_value_t = ROUNDS, value_parser = at_least_one)]
    runs: usize,
    /// Write the page of the results here (docs/performance.md)
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Write every measured value here
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Measure this command and the libweir.so beside it, instead of building them
    #[arg(long, value_name = "PATH")]
    weir: Option<PathBuf>,
}

/// Everything that was measured, for programs.
#[derive(Serialize)]
struct Results<'a> {
    weir_version: &'static str,
    command: &'a str,
    machine: &'a Machine,
    sections: &'a [Section],
}

impl Arguments {
    /// Measures, prints, and writes what is asked for.
    pub fn run(self) -> Result<()> {
        let product = match &self.weir {
            Some(path) => Product::at(path)?,
            None => Product::build()?,
        };
        let executable = std::env::current_exe().context("cannot find out where weir-bench is")?;
        let bench = Bench {
            product: product.install(&executable.with_file_name("bench-installed"))?,
            loads: Loads::compile(executable.with_file_name("bench-loads"))?,
            rounds: if self.quick { QUICK_ROUNDS } else { self.runs },
            quick: self.quick,
        };
        let machine = Machine::here();
        if let Some(load) = load_average().filter(|&load| load > BUSY && !self.quick) {
            eprintln!(
                "weir-bench: warning: the machine is busy (load average {load}); figures will spread"
            );
        }

        let subjects = if self.only.is_empty() {
            Subject::value_variants()
        } else {
            &self.only
        };
        let mut sections = Vec::new();
        println!("{}", machine.line());
        for subject in subjects {
            let section = subject.measure(&bench).with_context(|| subject.name())?;
            println!(
                "\n## {}\n\n{}",
                section.title,
                section.markdown().trim_end()
            );
            sections.push(section);
        }

        let command = command_line(std::env::args());
        if let Some(file) = &self.write {
            let page = fill(TEMPLATE, |name| match name {
                "machine" => Some(machine.line()),
                "command" => Some(command.clone()),
                name => sections
                    .iter()
                    .find(|section| section.name == name)
                    .map(Section::markdown),
            })?;
            save(file, &page)?;
        }
        if let Some(file) = &self.json {
            let results = Results {
                weir_version: env!("CARGO_PKG_VERSION"),
                command: &command,
                machine: &machine,
                sections: &sections,
            };
            save(file, &(serde_json::to_string_pretty(&results)? + "\n"))?;
        }
        Ok(())
    }
}

fn save(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

/// The command that was given, as another would give it: of a path that begins at the root, which is
/// different on each machine, only the last name.
fn command_line(mut arguments: impl Iterator<Item = String>) -> String {
    arguments.next();
    let mut words = vec!["cargo run --release -p weir-bench --".to_owned()];
    words.extend(
        arguments.map(|argument| match Path::new(&argument).file_name() {
            Some(name) if argument.starts_with('/') => name.to_string_lossy().into_owned(),
            _ => argument,
        }),
    );
    words.join(" ")
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err("must be a number of at least 1".into()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_page_is_written_only_of_a_whole_measurement() {
        for arguments in [&["--quick"][..], &["--only", "pairs"]] {
            let all = ["weir-bench", "--write", "page.md"].iter().chain(arguments);
            assert!(Arguments::try_parse_from(all).is_err(), "{arguments:?}");
        }
    }

    #[test]
    fn subjects_and_rounds_are_checked() {
        assert!(Arguments::try_parse_from(["weir-bench", "--only", "pairs", "io"]).is_ok());
        assert!(Arguments::try_parse_from(["weir-bench", "--only", "nonsense"]).is_err());
        assert!(Arguments::try_parse_from(["weir-bench", "--runs", "0"]).is_err());
    }

    #[test]
    fn the_command_shows_no_path_of_this_machine() {
        let arguments = [
            "/a/weir-bench",
            "--json",
            "/b/c.json",
            "--write",
            "docs/p.md",
        ]
        .map(String::from);
        assert_eq!(
            command_line(arguments.into_iter()),
            "cargo run --release -p weir-bench -- --json c.json --write docs/p.md"
        );
    }
}
