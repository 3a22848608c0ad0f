//! What is measured, a file per subject.

mod allocation;
mod fleet;
mod idle;
mod instructions;
mod io;
mod memory;
mod page;
mod programs;
mod recorded;
mod scaling;
mod server;
mod stacks;
mod startup;
mod surface;
mod writer;

use anyhow::Result;
use clap::ValueEnum;

use crate::bench::Bench;
use crate::section::Section;

/// A subject, as `--only` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Subject {
    /// malloc+free pairs in one thread
    Pairs,
    /// malloc+free pairs in two threads
    PairsTwoThreads,
    /// what two threads cost against one
    Scaling,
    /// malloc+free pairs under 30 frames
    Deep,
    /// what call stacks add to malloc+free pairs
    Stacks,
    /// read+write pairs
    Io,
    /// sockets, stdio, opening and closing
    Surface,
    /// starting and ending a program
    Startup,
    /// starting and ending many programs, one after the other
    Tree,
    /// resident memory
    Memory,
    /// samples that the writer takes in a second
    Writer,
    /// processor time while the program idles
    Idle,
    /// real programs: time, and samples dropped
    Programs,
    /// a server under load
    Server,
    /// the reports of ten thousand runs: summed, exported, queried
    Fleet,
    /// the page of a large report, in a browser
    Page,
    /// instructions of a call, counted by callgrind
    Instructions,
}

impl Subject {
    /// Its name on the command line, in the page's template and in the JSON.
    pub fn name(self) -> String {
        self.to_possible_value()
            .map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Measures it.
    pub fn measure(self, bench: &Bench) -> Result<Section> {
        let mut section = match self {
            Self::Pairs => allocation::pairs(bench, 1)?,
            Self::PairsTwoThreads => allocation::pairs(bench, 2)?,
            Self::Scaling => scaling::measure(bench)?,
            Self::Deep => allocation::deep(bench)?,
            Self::Stacks => stacks::measure(bench)?,
            Self::Io => io::measure(bench)?,
            Self::Surface => surface::measure(bench)?,
            Self::Startup => startup::measure(bench)?,
            Self::Tree => startup::tree(bench)?,
            Self::Memory => memory::measure(bench)?,
            Self::Writer => writer::measure(bench)?,
            Self::Idle => idle::measure(bench)?,
            Self::Programs => programs::measure(bench)?,
            Self::Server => server::measure(bench)?,
            Self::Fleet => fleet::measure(bench)?,
            Self::Page => page::measure(bench)?,
            Self::Instructions => instructions::measure(bench)?,
        };
        section.name = self.name();
        Ok(section)
    }
}
