//! The numbers that a limit is about.

mod sites;
mod usage;

use serde_json::Value as Json;
use weir_record::functions::Function as Known;
use weir_report::ACTIVITIES;
use weir_report::model::{Activity, FileUse, Function, Heap, Latency, Process, Report};
use wildmatch::WildMatch;

use super::budget::{Limit, Per};
use crate::cli::Metric;
use crate::report::loss::{self, About, Loss, Suffered};
use crate::report::sites::places::Places;
use crate::report::{Subject, process_name};
use crate::text;
use crate::units::Unit;

/// One number.
#[derive(Debug)]
pub struct Figure<'r> {
    /// Which process, file or site it is of; empty for the whole report.
    pub of: String,
    /// What the same is called in another report.
    pub key: (String, String),
    /// Its unit.
    pub unit: Unit,
    /// The number.
    pub value: Value<'r>,
    /// Why it may be too small.
    pub losses: Vec<Suffered>,
}

/// A number, as well as it is known.
#[derive(Clone, Debug)]
pub enum Value<'r> {
    /// Exactly.
    Exact(i128),
    /// It lies between two.
    Between {
        /// The likeliest.
        value: i128,
        low: i128,
        high: i128,
    },
    /// A percentile of calls that were timed.
    Percentile {
        /// The time.
        ns: u64,
        /// The part of the calls that took no longer.
        part: f64,
        /// All that is known of them.
        latency: &'r Latency,
    },
    /// Not at all, and why.
    Unknown(String),
}

impl Value<'_> {
    /// The number, where it is known.
    pub fn number(&self) -> Option<i128> {
        match self {
            Value::Exact(value) | Value::Between { value, .. } => Some(*value),
            Value::Percentile { ns, .. } => Some(i128::from(*ns)),
            Value::Unknown(_) => None,
        }
    }
}

/// The numbers of a limit in a report.
///
/// # Errors
/// What is wrong with the limit.
pub fn figures<'r>(
    limit: &Limit,
    report: &'r Report,
    places: &Places<'_>,
) -> Result<Vec<Figure<'r>>, String> {
    let words: Vec<&str> = limit.metric.split('.').collect();
    let whole = Subject::whole(report);
    match limit.per {
        Per::Report if words[0] == "usage" => Ok(vec![usage::of_all(report, &words)?]),
        Per::Process if words[0] == "usage" => usage::of_each(report, &words),
        Per::Report if words[0] == "files" => Ok(vec![of_files(&whole, &words, limit)?]),
        Per::Report => Ok(vec![of_subject(String::new(), &whole, &words)?]),
        Per::Process => {
            let processes = report.processes.iter();
            let figures = processes.map(|process| {
                let subject = Subject::image(process);
                match words[0] {
                    "files" => of_files(&subject, &words, limit).map(|figure| Figure {
                        of: name(process),
                        ..figure
                    }),
                    _ => of_subject(name(process), &subject, &words),
                }
            });
            let figures = figures.zip(&report.processes);
            figures
                .map(|(figure, process)| Ok(of_one(figure?, process.stands_for())))
                .collect()
        }
        Per::File => of_each_file(&whole, &words, limit),
        Per::Site => sites::of_each(report, &words, limit, places),
    }
}

/// The processes that make a number of the whole report, at most so many; none where it is not of processes.
pub fn processes(metric: &str, report: &Report, count: usize) -> Vec<(String, String)> {
    let words: Vec<&str> = metric.split('.').collect();
    match words[0] {
        "usage" => usage::most(report, &words, count),
        _ => Vec::new(),
    }
}

/// What one of several processes has at most, of which the sum is known: that of the one that has most is not below the mean.
fn of_one(figure: Figure<'_>, processes: u64) -> Figure<'_> {
    let value = match figure.value {
        Value::Exact(sum) if processes > 1 && sum > 0 => {
            let mean = sum.div_euclid(i128::from(processes));
            Value::Between {
                value: mean,
                low: mean,
                high: sum,
            }
        }
        other => other,
    };
    Figure { value, ..figure }
}

/// `4711 (python3)`.
fn name(process: &Process) -> String {
    let program = process_name(process);
    match &process.folded {
        None => format!("{} ({program})", process.pid),
        Some(folded) => format!(
            "{} of {program}",
            text::counted(folded.processes, "process", "processes")
        ),
    }
}

fn no_such(words: &[&str]) -> String {
    format!("there is no metric '{}'", words.join("."))
}

fn of_subject<'r>(of: String, subject: &Subject<'r>, words: &[&str]) -> Result<Figure<'r>, String> {
    let (unit, value) = match words {
        ["functions", name, rest @ ..] if !rest.is_empty() => {
            let known = Known::from_name(name);
            let function = subject.functions.get(*name);
            if known.is_none() && function.is_none() {
                return Err(format!("Weir interposes no function '{name}'"));
            }
            let listed = subject.missed.unlisted_errnos == 0;
            of_function(name, function, rest, listed).ok_or_else(|| no_such(words))?
        }
        ["heap", field] => of_heap(subject.heap, field).ok_or_else(|| no_such(words))?,
        ["leak_bytes"] => of_heap(subject.heap, "leak_bytes").ok_or_else(|| no_such(words))?,
        ["leak_blocks"] => of_heap(subject.heap, "leak_blocks").ok_or_else(|| no_such(words))?,
        ["duration"] | ["duration_ns"] => {
            (Unit::Time, Value::Exact(i128::from(subject.duration_ns)))
        }
        ["processes"] => (Unit::Count, Value::Exact(i128::from(subject.count()))),
        ["activities", name, rest @ ..] if !rest.is_empty() => {
            let none = Activity::default();
            let activity = subject.activities.get(*name);
            if activity.is_none() && !ACTIVITIES.contains(name) {
                let names = ACTIVITIES.join(", ");
                return Err(format!("there is no activity '{name}'; there are {names}"));
            }
            exact(activity.unwrap_or(&none), rest).ok_or_else(|| no_such(words))?
        }
        ["tree_peak", rest @ ..] if !rest.is_empty() => match subject.tree_peak {
            Some(peak) => exact(peak, rest).ok_or_else(|| no_such(words))?,
            None => (
                Unit::Bytes,
                Value::Unknown("the report has no peak of a tree: it has one process".to_owned()),
            ),
        },
        ["missed", rest @ ..] if !rest.is_empty() => {
            let value = exact(subject.missed, rest).ok_or_else(|| no_such(words))?;
            // These are the losses.
            return Ok(Figure {
                of,
                key: Default::default(),
                unit: value.0,
                value: value.1,
                losses: Vec::new(),
            });
        }
        _ => return Err(no_such(words)),
    };
    let about = match words {
        ["functions", name, "latency", percentile] if part_of(percentile).is_some() => {
            About::Percentile(name)
        }
        ["functions", name, ..] => About::Function(name),
        ["heap" | "tree_peak" | "leak_bytes" | "leak_blocks", ..] => About::Heap,
        ["activities", ..] => About::Io,
        _ => About::All,
    };
    let losses = match words {
        // The clock misses nothing.
        ["duration" | "duration_ns"] => Vec::new(),
        _ => loss::suffered(subject.missed, about),
    };
    Ok(Figure {
        of,
        key: Default::default(),
        unit,
        value,
        losses,
    })
}

fn of_function<'r>(
    name: &str,
    function: Option<&'r Function>,
    words: &[&str],
    errnos_are_listed: bool,
) -> Option<(Unit, Value<'r>)> {
    let unknown = |unit, reason: String| Some((unit, Value::Unknown(reason)));
    let calls = function.map_or(0, |function| function.calls);
    let why_none = || match calls {
        0 => format!("{name} was not called"),
        _ => format!("no call of {name} was timed"),
    };
    if let ["latency", percentile] = words
        && let Some(part) = part_of(percentile)
    {
        let Some(latency) = function.and_then(|function| function.latency.as_deref()) else {
            return unknown(Unit::Time, why_none());
        };
        let ns = match *percentile {
            "p50" | "p50_ns" => latency.p50_ns,
            "p90" | "p90_ns" => latency.p90_ns,
            "p99" | "p99_ns" => latency.p99_ns,
            _ => latency.p99_9_ns,
        };
        return Some((Unit::Time, Value::Percentile { ns, part, latency }));
    }
    if let ["errors_by_errno", errno] = words {
        let of = function.and_then(|function| function.errors_by_errno.get(*errno));
        let is_errno = weir_report::is_errno_name(errno);
        return match of {
            Some(&calls) => Some((Unit::Count, Value::Exact(i128::from(calls)))),
            None if !is_errno => None,
            None if !errnos_are_listed => {
                unknown(Unit::Count, "not all errno values were recorded".to_owned())
            }
            None => Some((Unit::Count, Value::Exact(0))),
        };
    }
    let none = Function::default();
    exact(function.unwrap_or(&none), words).or_else(|| {
        // What a function may have, and this one has not.
        let whole = Function {
            latency: Some(Box::default()),
            estimated: Some(Default::default()),
            parts: Some(Box::default()),
            ..Function::default()
        };
        let (unit, _) = exact(&whole, words)?;
        unknown(unit, why_none())
    })
}

fn part_of(percentile: &str) -> Option<f64> {
    match percentile.strip_suffix("_ns").unwrap_or(percentile) {
        "p50" => Some(0.5),
        "p90" => Some(0.9),
        "p99" => Some(0.99),
        "p99_9" => Some(0.999),
        _ => None,
    }
}

fn of_heap(heap: &Heap, field: &str) -> Option<(Unit, Value<'static>)> {
    let (unit, value) = match field {
        "leak_bytes" => (
            Unit::Bytes,
            Value::Exact(i128::from(heap.live_bytes) - i128::from(heap.inherited_bytes)),
        ),
        "leak_blocks" => (
            Unit::Count,
            Value::Exact(i128::from(heap.live_blocks) - i128::from(heap.inherited_blocks)),
        ),
        "peak" | "peak_bytes" => {
            let (peak, error) = (
                i128::from(heap.peak_bytes),
                i128::from(heap.peak_error_bytes),
            );
            let value = match error {
                0 => Value::Exact(peak),
                _ => Value::Between {
                    value: peak,
                    low: peak.saturating_sub(error),
                    high: peak.saturating_add(error),
                },
            };
            (Unit::Bytes, value)
        }
        other => exact(heap, &[other])?,
    };
    let value = match &heap.not_known {
        Some(reason) => Value::Unknown(format!("the heap is not known: {reason}")),
        None => value,
    };
    Some((unit, value))
}

/// A number of a file. One that may be left out of the report is 0 there.
fn of_file(file: &FileUse, words: &[&str]) -> Option<(Unit, Value<'static>)> {
    exact(file, words).or_else(|| {
        let whole = FileUse {
            mapped_bytes: 1,
            ..FileUse::default()
        };
        exact(&whole, words).map(|(unit, _)| (unit, Value::Exact(0)))
    })
}

fn is_of(file: &FileUse, pattern: Option<&WildMatch>) -> bool {
    pattern.is_none_or(|pattern| pattern.matches(&file.name))
}

fn of_files<'r>(
    subject: &Subject<'r>,
    words: &[&str],
    limit: &Limit,
) -> Result<Figure<'r>, String> {
    let rest = &words[1..];
    let pattern = limit.file.as_deref().map(WildMatch::new);
    let files = subject.files;
    let mut sum = FileUse::default();
    for file in files
        .listed
        .iter()
        .filter(|file| is_of(file, pattern.as_ref()))
    {
        sum.add(file);
    }
    let mut losses = loss::suffered(subject.missed, About::Io);
    match pattern {
        None => sum.add(&files.others),
        Some(_) => losses.extend(not_listed(subject)),
    }
    let (unit, value) = of_file(&sum, rest).ok_or_else(|| no_such(words))?;
    Ok(Figure {
        of: String::new(),
        key: Default::default(),
        unit,
        value,
        losses,
    })
}

fn of_each_file<'r>(
    subject: &Subject<'r>,
    words: &[&str],
    limit: &Limit,
) -> Result<Vec<Figure<'r>>, String> {
    let pattern = limit.file.as_deref().map(WildMatch::new);
    let words = match words {
        ["files", rest @ ..] => rest,
        all => all,
    };
    let (unit, none) = of_file(&FileUse::default(), words).ok_or_else(|| no_such(words))?;
    let mut losses = loss::suffered(subject.missed, About::Io);
    losses.extend(not_listed(subject));
    let listed = subject.files.listed.iter();
    let mut figures: Vec<Figure<'r>> = listed
        .filter(|file| is_of(file, pattern.as_ref()))
        .filter_map(|file| {
            let (unit, value) = of_file(file, words)?;
            Some(Figure {
                of: file.name.clone(),
                key: (file.kind.clone(), file.name.clone()),
                unit,
                value,
                losses: losses.clone(),
            })
        })
        .collect();
    if figures.is_empty() {
        figures.push(Figure {
            of: String::new(),
            key: Default::default(),
            unit,
            value: none,
            losses,
        });
    }
    Ok(figures)
}

/// Files that the report has only the sum of may be those that are asked for.
fn not_listed(subject: &Subject<'_>) -> Option<Suffered> {
    let folded = subject.files.folded;
    let files = text::counted(folded, "file is", "files are");
    let sentence = format!("{files} not listed by name");
    (folded > 0).then_some((Loss::Unlisted, sentence))
}

/// What is summed over call sites to see which of them make a number.
pub fn summed(metric: &str) -> Option<(Metric, Option<&str>)> {
    let words: Vec<&str> = metric.split('.').collect();
    let of_function = |name, field| match field {
        "calls" => Some((Metric::Calls, Some(name))),
        "requested_bytes" | "requested" => Some((Metric::Bytes, Some(name))),
        "moved_bytes" | "moved" => Some((Metric::Moved, Some(name))),
        "latency" | "estimated" => Some((Metric::Time, Some(name))),
        _ => None,
    };
    match words[..] {
        ["functions", name, field, ..] => of_function(name, field),
        ["heap", "peak" | "peak_bytes"] | ["tree_peak", ..] => Some((Metric::Peak, None)),
        ["leak_bytes" | "leak_blocks"] | ["heap", "live_bytes" | "live" | "live_blocks"] => {
            Some((Metric::Live, None))
        }
        _ => None,
    }
}

/// The number at a path in what the report has, and its unit; `peak` is `peak_bytes`, too, and `total` `total_ns`.
fn exact(of: &impl serde::Serialize, words: &[&str]) -> Option<(Unit, Value<'static>)> {
    let mut value = serde_json::to_value(of).ok()?;
    let mut unit = Unit::Count;
    for word in words {
        let Json::Object(mut fields) = value else {
            return None;
        };
        let names = [
            (*word).to_owned(),
            format!("{word}_bytes"),
            format!("{word}_ns"),
        ];
        let name = names.into_iter().find(|name| fields.contains_key(name))?;
        unit = match () {
            () if name.ends_with("_bytes") => Unit::Bytes,
            () if name.ends_with("_ns") => Unit::Time,
            () => Unit::Count,
        };
        value = fields.remove(&name)?;
    }
    let number = match value.as_i64() {
        Some(number) => i128::from(number),
        None => i128::from(value.as_u64()?),
    };
    Some((unit, Value::Exact(number)))
}
