//! What differs, for programs.

use std::collections::BTreeMap;

use serde::Serialize;
use weir_report::model::End;

use super::compare::{Change, Comparison, ERROR_RATE};
use super::number::Range;
use super::numbers::Section;
use super::remarks::remarks;
use super::{Run, Sides};
use crate::failure::Failure;
use crate::units::Unit;

/// The document, of the form `weir.diff/1`.
#[derive(Debug, Serialize)]
pub struct Document<'a> {
    schema: &'static str,
    before: Vec<Side<'a>>,
    after: Vec<Side<'a>>,
    remarks: Vec<String>,
    error_rate: f64,
    chance_of_runs: f64,
    compared: &'a BTreeMap<Section, usize>,
    changes: Vec<One<'a>>,
    times: Vec<One<'a>>,
    usage: Vec<One<'a>>,
}

#[derive(Debug, Serialize)]
struct Side<'a> {
    file: String,
    command: &'a [String],
    weir_version: &'a str,
    started_unix_ns: u64,
    duration_ns: u64,
    end: &'a End,
}

#[derive(Debug, Serialize)]
struct One<'a> {
    section: Section,
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<&'a str>,
    metric: &'a str,
    unit: &'static str,
    before: Number,
    after: Number,
}

#[derive(Debug, Serialize)]
struct Number {
    value: i64,
    low: i64,
    /// None: it is not known.
    high: Option<i64>,
}

/// What differs.
pub fn document<'a>(sides: &'a Sides, comparison: &'a Comparison) -> Document<'a> {
    Document {
        schema: "weir.diff/1",
        before: sides.before.iter().map(side).collect(),
        after: sides.after.iter().map(side).collect(),
        remarks: all_remarks(sides, comparison),
        error_rate: ERROR_RATE,
        chance_of_runs: 1.0 / comparison.one_in(),
        compared: &comparison.compared,
        changes: comparison.changes.iter().map(one).collect(),
        times: comparison.times.iter().map(one).collect(),
        usage: comparison.usage.iter().map(one).collect(),
    }
}

/// The document as text.
pub fn text(sides: &Sides, comparison: &Comparison) -> Result<String, Failure> {
    let document = document(sides, comparison);
    let mut text = serde_json::to_string_pretty(&document)
        .map_err(|error| Failure::of_weir("cannot make JSON of the differences").because(error))?;
    text.push('\n');
    Ok(text)
}

/// With what the page says of latencies below their table.
fn all_remarks(sides: &Sides, comparison: &Comparison) -> Vec<String> {
    let mut remarks = remarks(sides, comparison);
    if comparison.changed(Section::Latency) > 0 && !comparison.can_compare_times() {
        remarks.push(format!("latency: {}", super::page::LATENCY));
    }
    remarks
}

fn side(run: &Run) -> Side<'_> {
    Side {
        file: run.file.to_string_lossy().into_owned(),
        command: &run.report.command,
        weir_version: &run.report.weir_version,
        started_unix_ns: run.report.started_unix_ns,
        duration_ns: run.report.duration_ns,
        end: &run.report.end,
    }
}

fn one(change: &Change) -> One<'_> {
    let aside = |section| (change.key.section == section).then_some(change.key.aside.as_str());
    One {
        section: change.key.section,
        name: &change.key.name,
        by: aside(Section::Sites),
        kind: aside(Section::Files),
        place: change.place.as_deref(),
        metric: &change.key.metric,
        unit: match change.unit {
            Unit::Count => "count",
            Unit::Bytes => "bytes",
            Unit::Time => "ns",
        },
        before: number(change.before),
        after: number(change.after),
    }
}

fn number(range: Range) -> Number {
    Number {
        value: range.value,
        low: range.low,
        high: (range.high < i64::MAX).then_some(range.high),
    }
}
