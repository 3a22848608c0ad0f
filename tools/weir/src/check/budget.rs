//! The budget: a TOML file with limits.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use serde::Deserialize;
use toml::{Spanned, Value};

use super::quantity::{self, Quantity};
use crate::failure::Failure;
use crate::report::loss::Loss;

/// The limits of a file.
#[derive(Debug)]
pub struct Budget {
    /// The file's text.
    pub text: String,
    /// What a report may lack and still keep a limit.
    pub accepted: Vec<Loss>,
    /// The limits, in the order of the file.
    pub limits: Vec<Limit>,
}

/// A limit.
#[derive(Debug)]
pub struct Limit {
    /// Where it is in the file, from 1.
    pub line: usize,
    /// The same, as a place in the document.
    pub place: Place,
    /// What is measured: a path of words.
    pub metric: String,
    /// Of what each.
    pub per: Per,
    /// The most that is allowed.
    pub max: Option<Quantity>,
    /// How much more than in the baseline is allowed, as a part of one.
    pub increase: Option<f64>,
    /// How many timed calls a latency needs.
    pub min_samples: u64,
    /// The files that it is about; all where there is none.
    pub file: Option<String>,
    /// Call sites that do not count.
    pub ignore: Vec<String>,
}

/// Where a limit stands in a budget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the table `default`, under these names.
    Default(Vec<String>),
    /// In the array `limit`.
    Entry(usize),
}

/// How many timed calls a latency needs, where the limit does not say.
const MIN_SAMPLES: u64 = 100;

/// What has a number of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Per {
    /// The whole report.
    #[default]
    Report,
    /// Each process image.
    Process,
    /// Each file and socket.
    File,
    /// Each call site.
    Site,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    accept: Vec<Spanned<String>>,
    #[serde(default)]
    default: BTreeMap<Spanned<String>, Value>,
    #[serde(default)]
    limit: Vec<Spanned<Entry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    metric: String,
    #[serde(default)]
    per: Per,
    max: Option<Value>,
    increase: Option<String>,
    min_samples: Option<u64>,
    file: Option<String>,
    #[serde(default)]
    ignore: Vec<String>,
}

impl Budget {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, or is no budget: where, and why.
    pub fn read(path: &Path) -> Result<Budget, Failure> {
        let text =
            std::fs::read_to_string(path).map_err(|error| Failure::of_file("read", path, error))?;
        Budget::parse(&text).map_err(|(line, message)| wrong(path, line, &message))
    }

    /// # Errors
    /// The line, and what is wrong there.
    pub fn parse(text: &str) -> Result<Budget, (usize, String)> {
        let line = |span: Range<usize>| line_at(text, span.start);
        let document: Document = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(1, line);
            (at, error.message().to_owned())
        })?;
        // This parser also has the places of all in the text, and keeps to the integers of TOML.
        let positions = toml_edit::Document::parse(text).map_err(|error| {
            let at = error.span().map_or(1, line);
            (at, error.message().to_owned())
        })?;
        let mut accepted = Vec::new();
        for name in document.accept {
            let known = Loss::named(name.get_ref()).ok_or_else(|| {
                let names = Loss::ALL.map(Loss::name).join(", ");
                let message = format!(
                    "nothing named '{}' to accept; there are {names}",
                    name.get_ref()
                );
                (line(name.span()), message)
            })?;
            accepted.push(known);
        }
        let mut limits = Vec::new();
        for (name, value) in document.default {
            let at = line(name.span());
            add_defaults(&[name.get_ref().as_str()], &value, at, &mut limits)
                .map_err(|message| (at, message))?;
        }
        for (index, entry) in document.limit.into_iter().enumerate() {
            let at = line(entry.span());
            limits.push(limit(entry.into_inner(), index, at).map_err(|message| (at, message))?);
        }
        // TOML has dotted keys as tables: where each stands, only the other parser says.
        for limit in &mut limits {
            if let Place::Default(names) = &limit.place
                && let Some(offset) = offset(&positions, names)
            {
                limit.line = line_at(text, offset);
            }
        }
        limits.sort_by_key(|limit| limit.line);
        match limits.is_empty() {
            true => Err((1, "there is no limit".to_owned())),
            false => Ok(Budget {
                text: text.to_owned(),
                accepted,
                limits,
            }),
        }
    }
}

/// Where a value of the table `default` begins.
fn offset(document: &toml_edit::Document<&str>, names: &[String]) -> Option<usize> {
    let table = document.get("default")?;
    let value = names
        .iter()
        .try_fold(table, |item, name| item.get(name.as_str()))?;
    Some(value.span()?.start)
}

/// What is wrong with a budget, where.
pub fn wrong(path: &Path, line: usize, message: &str) -> Failure {
    let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    Failure::of_weir(format!("{}, line {line}: {message}", path.display()))
}

fn line_at(text: &str, offset: usize) -> usize {
    let before = text.get(..offset).unwrap_or(text);
    1 + before.matches('\n').count()
}

/// `heap.peak_bytes = "64MiB"` is a table in a table to TOML.
fn add_defaults(
    names: &[&str],
    value: &Value,
    line: usize,
    limits: &mut Vec<Limit>,
) -> Result<(), String> {
    if let Value::Table(table) = value {
        for (key, value) in table {
            add_defaults(&[names, &[key.as_str()]].concat(), value, line, limits)?;
        }
        return Ok(());
    }
    limits.push(Limit {
        line,
        place: Place::Default(names.iter().map(|&name| name.to_owned()).collect()),
        metric: names.join("."),
        per: Per::Report,
        max: Some(Quantity::read(value)?),
        increase: None,
        min_samples: MIN_SAMPLES,
        file: None,
        ignore: Vec::new(),
    });
    Ok(())
}

fn limit(entry: Entry, index: usize, line: usize) -> Result<Limit, String> {
    let increase = entry.increase.as_deref().map(|text| {
        quantity::percent(text)
            .ok_or_else(|| format!("increase must be a percentage such as \"2%\", not {text}"))
    });
    let limit = Limit {
        line,
        place: Place::Entry(index),
        metric: entry.metric,
        per: entry.per,
        max: entry.max.as_ref().map(Quantity::read).transpose()?,
        increase: increase.transpose()?,
        min_samples: entry.min_samples.unwrap_or(MIN_SAMPLES),
        file: entry.file,
        ignore: entry.ignore,
    };
    if limit.max.is_none() && limit.increase.is_none() {
        return Err("the limit has neither max nor increase".to_owned());
    }
    if limit.per == Per::Process && limit.increase.is_some() {
        return Err(
            "processes have no counterpart in another report: per = \"process\" has no increase"
                .to_owned(),
        );
    }
    if limit.file.is_some() && !(limit.per == Per::File || limit.metric.starts_with("files.")) {
        return Err(
            "file belongs to a metric that begins with files., or to per = \"file\"".to_owned(),
        );
    }
    if limit.ignore.iter().any(String::is_empty) {
        return Err("ignore has an empty pattern, which would be part of every name".to_owned());
    }
    if !limit.ignore.is_empty() && limit.per != Per::Site {
        return Err("ignore belongs to per = \"site\"".to_owned());
    }
    Ok(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_has_the_limits_of_its_file() {
        let text = r#"
accept = ["untraced"]
[default]
heap.peak_bytes = "64MiB"     # a table in a table

[[limit]]
metric = "functions.malloc.calls"
max = 120000
increase = "2%"

[[limit]]
metric = "leak_bytes"
per = "site"
max = "1KiB"
ignore = ["libfoo.so!*"]
"#;
        let budget = Budget::parse(text).expect("a budget");
        let limits = budget.limits.iter();
        let read: Vec<_> = limits
            .map(|limit| (limit.line, limit.metric.as_str(), limit.per, limit.increase))
            .collect();
        assert_eq!(
            read,
            [
                (4, "heap.peak_bytes", Per::Report, None),
                (6, "functions.malloc.calls", Per::Report, Some(0.02)),
                (11, "leak_bytes", Per::Site, None),
            ]
        );
        assert_eq!(budget.accepted, [Loss::Untraced]);
    }

    #[test]
    fn each_dotted_key_has_its_own_line() {
        let text = "[default]\nfunctions.read.calls = 1\nprocesses = 1\n\nfunctions.malloc.calls = 1\n\"duration\" = \"1s\"\n";
        let budget = Budget::parse(text).expect("a budget");
        let limits = budget.limits.iter();
        let lines: Vec<_> = limits
            .map(|limit| (limit.line, limit.metric.as_str()))
            .collect();
        assert_eq!(
            lines,
            [
                (2, "functions.read.calls"),
                (3, "processes"),
                (5, "functions.malloc.calls"),
                (6, "duration"),
            ]
        );
    }

    #[test]
    fn what_is_wrong_is_reported_with_its_line() {
        for (text, line, part) in [
            ("", 1, "no limit"),
            (
                "[[limit]]\nmetric = \"duration\"\n",
                1,
                "neither max nor increase",
            ),
            ("\n[[limit]]\nmetric = 1\nmax = 1", 3, "string"),
            (
                "[[limit]]\nmetric = \"duration\"\nmaximum = 1",
                3,
                "unknown field",
            ),
            (
                "[[limit]]\nmetric = \"duration\"\nmax = \"5 apples\"",
                1,
                "5 apples",
            ),
            ("[[limit]]\nmetric = \"duration\"\nmax = -1", 1, "-1"),
            (
                "[[limit]]\nmetric = \"duration\"\nincrease = \"2\"",
                1,
                "percentage",
            ),
            (
                "[[limit]]\nmetric = \"duration\"\nmax = \"1s\"\nfile = \"x\"",
                1,
                "file",
            ),
            (
                "[[limit]]\nmetric = \"duration\"\nmax = \"1s\"\nignore = [\"x\"]",
                1,
                "ignore",
            ),
            (
                "\naccept = [\"noise\"]\n[default]\nduration = \"1s\"",
                2,
                "noise",
            ),
            ("[default]\nduration = [1]", 2, "array"),
            (
                "[[limit]]\nmetric = \"leak_bytes\"\nper = \"site\"\nmax = 1\nignore = [\"\"]",
                1,
                "empty pattern",
            ),
            (
                "[default]\nheap.peak_bytes = 1\n\nheap.live_bytes = 1.5",
                2,
                "1.5",
            ),
            ("[[limit]\n", 1, ""),
        ] {
            let (at, message) = Budget::parse(text).expect_err(text);
            assert_eq!(at, line, "{text}: {message}");
            assert!(message.contains(part), "{text}: {message}");
        }
    }
}
