//! Where the interposed functions lead, and which calls do not reach Weir.

use std::collections::BTreeMap;

use weir_report::model::Process;

use super::page::Page;
use super::subject::{self, Subject};
use crate::text;

/// How many processes are named if several have the same provenance.
const NAMED: usize = 6;

pub fn show(page: &mut Page, subject: &Subject<'_>) {
    // Processes with the same provenance share an entry.
    let mut grouped: Vec<(Vec<String>, Vec<&Process>)> = Vec::new();
    for &process in &subject.processes {
        let sentences = sentences(process);
        match grouped.iter_mut().find(|(same, _)| *same == sentences) {
            Some((_, processes)) => processes.push(process),
            None => grouped.push((sentences, vec![process])),
        }
    }
    grouped.retain(|(sentences, _)| !sentences.is_empty());
    if grouped.is_empty() {
        return;
    }
    page.heading(
        "Provenance",
        "the objects that define the interposed functions",
    );
    let is_unanimous = grouped
        .iter()
        .map(|(_, processes)| processes.len())
        .sum::<usize>()
        == subject.processes.len()
        && grouped.len() == 1;
    for (sentences, processes) in &grouped {
        if !is_unanimous {
            page.line(&speakers(processes));
        }
        page.sentences(sentences);
    }
}

fn speakers(processes: &[&Process]) -> String {
    let name = |process: &&Process| {
        let executable = text::printable(subject::name(process));
        match &process.folded {
            Some(folded) => format!("{} of {executable}", folded.processes),
            None => format!("{} ({executable})", process.pid),
        }
    };
    let mut names: Vec<String> = processes.iter().take(NAMED).map(name).collect();
    if processes.len() > NAMED {
        names.push(format!("{} more", processes.len() - NAMED));
    }
    let noun = if processes.iter().all(|of| of.stands_for() == 1) && processes.len() == 1 {
        "process"
    } else {
        "processes"
    };
    format!("{noun} {}:", text::list(&names))
}

fn sentences(process: &Process) -> Vec<String> {
    let mut found: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut absent = Vec::new();
    let mut bypassed: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for group in &process.provenance {
        let leads = &group.leads;
        let names = match (&leads.next, leads.interposed) {
            (_, false) if leads.bound.is_some() || leads.next.is_some() => bypassed
                .entry(leads.bound.as_deref().unwrap_or(""))
                .or_default(),
            (Some(object), _) => found.entry(object).or_default(),
            (None, _) => &mut absent,
        };
        names.extend(group.functions.iter().map(|name| &**name));
    }
    let lists = found.values_mut().chain(bypassed.values_mut());
    lists.chain([&mut absent]).for_each(|names| names.sort());

    let mut sentences = Vec::new();
    let mut found: Vec<(&str, Vec<&str>)> = found.into_iter().collect();
    found.sort_by_key(|(_, names)| std::cmp::Reverse(names.len()));
    for (index, (object, names)) in found.iter().enumerate() {
        let subject = match index {
            0 => text::counted(names.len() as u64, "function", "functions"),
            _ => text::list(names),
        };
        let verb = if names.len() == 1 { "leads" } else { "lead" };
        sentences.push(format!("{subject} {verb} to {object}"));
    }
    for (object, names) in bypassed {
        let (verb, them) = if names.len() == 1 {
            ("is", "it")
        } else {
            ("are", "them")
        };
        let names = text::list(&names);
        let place = if object.is_empty() {
            "elsewhere"
        } else {
            object
        };
        sentences.push(format!(
            "{names} {verb} bound to {place}, not interposed: the report has no calls of {them} by the program itself"
        ));
    }
    if !absent.is_empty() {
        let verb = if absent.len() == 1 { "is" } else { "are" };
        sentences.push(format!(
            "{} {verb} not in this C library",
            text::list(&absent)
        ));
    }
    sentences
}
