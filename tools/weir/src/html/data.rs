//! What the page shows.

use std::collections::BTreeMap;

use serde::Serialize;
use weir_report::model::{Function, Parts, Process, Report};

use super::details::Details;
use super::sites::SiteTable;
use crate::cli::SiteArgs;
use crate::failure::Failure;
use crate::report::{self, Subject, ending};
use crate::sites::{Questions, Sites};

/// All that the page is given. It is no format for other readers, and may change with every version.
#[derive(Debug, Serialize)]
pub struct Data {
    /// The name of the report's file.
    pub file: String,
    /// The report, without what only tools can read: histograms in their text form, stacks, where functions lead.
    pub report: Report,
    /// For each entry of the report's processes, in their order.
    pub processes: Vec<Extra>,
    /// Of all processes together.
    pub whole: Details,
    /// The entry that the page shows at first; absent where that is all of them.
    pub opens_at: Option<usize>,
    /// How the first process ended, as the predicate of a sentence.
    pub ending: String,
    /// Absent where the report has no call stacks.
    pub sites: Option<SiteTable>,
}

/// What the report does not say of a process by itself.
#[derive(Debug, Serialize)]
pub struct Extra {
    /// From the start of the first process image to that of this one, in nanoseconds: JavaScript's numbers cannot hold the times of
    /// the report.
    pub offset_ns: u64,
    /// How it ended, as the predicate of a sentence.
    pub ending: String,
    /// For each of its calls in flight where it was called, as far as that is known.
    pub callers: Vec<Option<String>>,
    /// Of how many images the entry is.
    pub images: u64,
    /// Its [`Details`], as the text of JSON: the page reads it when the process is chosen, and opens no slower for it. Absent where there
    /// is one entry, whose details are those of the whole.
    pub details: Option<String>,
}

impl Data {
    /// The page's data of a report; `asked` is for its call sites, and `process` the id of the process that is shown first.
    ///
    /// # Errors
    /// The suppressions cannot be read, or the report has no process with that id.
    pub fn of(
        mut report: Report,
        file: &str,
        asked: &SiteArgs,
        process: Option<u32>,
    ) -> Result<Data, Failure> {
        let opens_at = opens_at(&report, process)?;
        let all: Vec<&Process> = report.processes.iter().collect();
        let mut questions = Questions::new(asked)?;
        let has_stacks = all.iter().any(|of| of.stacks.is_some());
        let sites = has_stacks.then(|| questions.ask(&all)).transpose()?;
        let (mut table, of_all) = sites.as_ref().map(|of| SiteTable::of(&all, of)).unzip();
        let whole = Details::of(&Subject::whole(&report), sites.as_ref(), of_all);
        let mut processes = Vec::with_capacity(all.len());
        for &process in &all {
            processes.push(Extra {
                offset_ns: { process.started_unix_ns }.saturating_sub(report.started_unix_ns),
                ending: ending(&process.end),
                callers: callers(process, sites.as_ref()),
                images: process.stands_for(),
                details: match all.len() {
                    1 => None,
                    _ => Some(details(process, &mut questions, table.as_mut())?),
                },
            });
        }
        let ending = ending(&report.end);
        strip(&mut report);
        Ok(Data {
            file: file.to_owned(),
            report,
            processes,
            whole,
            opens_at,
            ending,
            sites: table,
        })
    }
}

fn callers(process: &Process, sites: Option<&Sites>) -> Vec<Option<String>> {
    let calls = process.in_flight.iter();
    calls
        .map(|call| sites?.place_of_call(process, call))
        .collect()
}

/// The first image of a process.
fn opens_at(report: &Report, process: Option<u32>) -> Result<Option<usize>, Failure> {
    let Some(pid) = process else {
        return Ok(None);
    };
    let images = report::processes(report, process)?;
    let first = images.first().map(|of| of.started_unix_ns);
    let is_first =
        |of: &Process| of.pid == pid && of.folded.is_none() && Some(of.started_unix_ns) == first;
    Ok(report.processes.iter().position(is_first))
}

fn details(
    process: &Process,
    questions: &mut Questions<'_>,
    table: Option<&mut SiteTable>,
) -> Result<String, Failure> {
    let sites = { process.stacks.as_ref() }.map(|_| questions.ask(&[process]));
    let sites = sites.transpose()?;
    let of_table = table.zip(sites.as_ref());
    let of_table = of_table.map(|(table, sites)| table.add(&[process], sites));
    let details = Details::of(&Subject::image(process), sites.as_ref(), of_table);
    serde_json::to_string(&details)
        .map_err(|error| Failure::of_weir("cannot make the page").because(error))
}

/// Takes out what the page does not show, or has in another form.
fn strip(report: &mut Report) {
    let of_functions = |functions: &mut BTreeMap<String, Function>| {
        for function in functions.values_mut() {
            let latency = function.latency.as_deref_mut();
            let parts = function.parts.as_deref_mut();
            let parts = parts.map(|Parts { wait, transfer, .. }| [wait, transfer]);
            for latency in latency.into_iter().chain(parts.into_iter().flatten()) {
                latency.histogram = String::new();
            }
        }
    };
    of_functions(&mut report.functions);
    for process in &mut report.processes {
        process.stacks = None;
        process.provenance = Vec::new();
        of_functions(&mut process.functions);
    }
}
