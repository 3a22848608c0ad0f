//! What is wrong, by what a report says: findings, the gravest first.
//!
//! ```text
//! rule        the rules, their names, and what to do
//! evidence    what the rules ask of a report: sums, and the place behind them
//! memory      blocks that are never freed, blocks that hardly live
//! files       writes and reads that are too small, too many, out of order
//! waits       servers that answer slowly, calls that never returned
//! failures    look-ups of files that are not there, descriptors that stay open
//! ```
//!
//! A rule says nothing of a program whose numbers are small: each has thresholds, which `docs/findings.md` lists.

mod evidence;
mod failures;
mod files;
mod memory;
mod rule;
mod waits;

use std::cmp::Reverse;
use std::collections::HashMap;

use anstyle::{AnsiColor, Style};

use super::page::{Page, painted};
use super::subject::Subject;
use crate::sites::{Naming, Sites};
use crate::symbols::DEBUG_DIRECTORY;
use crate::text;
use evidence::Evidence;

pub use rule::Rule;

/// So many findings of one rule are kept, the gravest: whoever has mended these measures again.
pub const MOST_OF_A_RULE: usize = 5;

/// How much there is to gain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Little: at most a twentieth of the running time.
    Low,
    /// Something.
    Medium,
    /// At least a fifth of the running time, or the program will end for want of something.
    High,
}

impl Severity {
    /// That of what takes so much of the running time.
    fn of_share(part_ns: u64, whole_ns: u64) -> Severity {
        let part = u128::from(part_ns);
        let whole = u128::from(whole_ns);
        match () {
            () if part * 5 >= whole => Severity::High,
            () if part * 20 >= whole => Severity::Medium,
            () => Severity::Low,
        }
    }

    /// How it is shown on a terminal.
    fn style(self) -> Style {
        match self {
            Severity::Low => Style::new(),
            Severity::Medium => AnsiColor::Yellow.on_default(),
            Severity::High => AnsiColor::Red.on_default().bold(),
        }
    }

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
        }
    }
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule that found it.
    pub rule: Rule,
    /// How much there is to gain.
    pub severity: Severity,
    /// What it costs, as far as that is time: in nanoseconds. Findings of one severity are in its order, and those that cost
    /// no time in that of their size.
    pub cost_ns: u64,
    /// How much there is of it, in the rule's own unit.
    pub size: u64,
    /// The numbers that say so, and of what: a file, a peer, a process.
    pub evidence: String,
    /// The place in the program that most of it comes from, where that is known.
    pub place: Option<String>,
}

impl Finding {
    /// `waits for one peer: 200 calls about the tcp connection to 127.0.0.1:80 took 1.03 s of 1.22 s, in ask (client.c:10)`.
    pub fn sentence(&self) -> String {
        let place = match &self.place {
            Some(place) => format!(", in {place}"),
            None => String::new(),
        };
        format!("{}: {}{place}", self.rule.title(), self.evidence)
    }
}

/// All that is wrong with a recording, or with one image of it. Nothing of several runs: the rules are for the calls of one.
pub fn of(subject: &Subject<'_>, sites: Option<&Sites>) -> Vec<Finding> {
    if subject.runs > 1 {
        return Vec::new();
    }
    let evidence = Evidence::new(subject, sites);
    let mut findings = Vec::new();
    memory::find(&evidence, &mut findings);
    files::find(&evidence, &mut findings);
    waits::find(&evidence, &mut findings);
    failures::find(&evidence, &mut findings);
    // Stable: equal ones stay in the order of the rules.
    findings.sort_by_key(|of| Reverse((of.severity, of.cost_ns, of.size)));
    let mut found: HashMap<Rule, usize> = HashMap::new();
    findings.retain(|of| {
        let number = found.entry(of.rule).or_default();
        *number += 1;
        *number <= MOST_OF_A_RULE
    });
    findings
}

/// The same, the places named as quickly as a summary needs it.
pub fn of_subject(subject: &Subject<'_>) -> Vec<Finding> {
    let processes = subject.processes.iter().copied();
    let sites = Sites::of(processes, &[DEBUG_DIRECTORY.into()], Naming::Quick);
    of(subject, sites.as_ref())
}

/// The section of a page; nothing where nothing was found.
pub fn show(page: &mut Page, findings: &[Finding]) {
    if findings.is_empty() {
        return;
    }
    page.heading("Findings", &counted(findings));
    for line in lines(findings, page.room(), page.is_coloured()) {
        page.styled_line(&line);
    }
}

/// `2 high, 1 low`.
pub fn counted(findings: &[Finding]) -> String {
    let of = |severity| {
        let many = findings.iter().filter(|of| of.severity == severity);
        (severity, many.count())
    };
    let counts = [Severity::High, Severity::Medium, Severity::Low].map(of);
    let counts = counts.into_iter().filter(|&(_, many)| many > 0);
    let counts: Vec<String> = counts
        .map(|(severity, many)| format!("{many} {}", severity.name()))
        .collect();
    counts.join(", ")
}

/// Findings as lines of at most so many columns.
pub fn lines(findings: &[Finding], columns: usize, coloured: bool) -> Vec<String> {
    /// The longest name of a severity, and a gap.
    const HEAD: usize = "medium".len() + 2;
    let room = columns.saturating_sub(HEAD);
    let mut lines = Vec::new();
    for finding in findings {
        let style = finding.severity.style();
        let sentence = text::printable(&finding.sentence()).into_owned();
        for (number, line) in text::wrap(&sentence, room).iter().enumerate() {
            let name = if number == 0 {
                finding.severity.name()
            } else {
                ""
            };
            let head = painted(&format!("{name:<HEAD$}"), style, coloured);
            lines.push(format!("{head}{line}"));
        }
        let remedy = format!("→ {}", finding.rule.remedy());
        for line in text::wrap(&remedy, room) {
            let line = painted(&line, Style::new().dimmed(), coloured);
            lines.push(format!("{:HEAD$}{line}", ""));
        }
    }
    lines
}

#[cfg(test)]
mod tests;
