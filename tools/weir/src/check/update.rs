//! Limits that are lowered to what was measured, in the budget's own file: all else in it stays as it is, byte for byte.

use std::cmp::Reverse;
use std::ops::Range;
use std::path::Path;

use toml_edit::Document;
use weir_report::emit;

use super::budget::{Budget, Place};
use super::verdict::Verdict;
use super::{Judged, budget};
use crate::failure::Failure;

/// A limit that was lowered.
#[derive(Debug, PartialEq, Eq)]
pub struct Lowered {
    /// What it is about.
    pub metric: String,
    /// As it was written.
    pub from: String,
    /// As it is written now.
    pub to: String,
}

/// Lowers the limits that are kept, of counts and bytes. Times differ from run to run, and estimates do: their limits stay.
///
/// # Errors
/// The file cannot be written.
pub fn lower(path: &Path, budget: &Budget, judged: &[Judged<'_>]) -> Result<Vec<Lowered>, Failure> {
    let (text, lowered) =
        lowered(&budget.text, judged).map_err(|message| budget::wrong(path, 1, &message))?;
    if !lowered.is_empty() {
        emit::replace(path, text.as_bytes())
            .map_err(|error| Failure::of_file("write", path, error.into()))?;
    }
    Ok(lowered)
}

/// The text with lower limits, and which.
///
/// # Errors
/// The text is no TOML.
pub fn lowered(text: &str, judged: &[Judged<'_>]) -> Result<(String, Vec<Lowered>), String> {
    let document = Document::parse(text).map_err(|error| error.message().to_owned())?;
    let mut lowered = Vec::new();
    let mut changes = Vec::new();
    for one in judged.iter().filter(|of| *of.verdict() == Verdict::Kept) {
        let (Some(row), Some(max)) = (one.rows.first(), one.limit.max) else {
            continue;
        };
        let Some(written) = row.exact.and_then(|number| max.lowered_to(number)) else {
            continue;
        };
        let span = span_of(&document, &one.limit.place);
        let Some((span, from)) = span.and_then(|span| Some((span.clone(), text.get(span)?))) else {
            continue;
        };
        let to = written.to_string();
        lowered.push(Lowered {
            metric: one.limit.metric.clone(),
            from: from.to_owned(),
            to: to.clone(),
        });
        changes.push((span, to));
    }
    // From the end on, so that the places before it stay what they are.
    changes.sort_by_key(|(span, _)| Reverse(span.start));
    let mut text = text.to_owned();
    for (span, to) in changes {
        text.replace_range(span, &to);
    }
    Ok((text, lowered))
}

/// Where a limit's most is written.
fn span_of(document: &Document<&str>, place: &Place) -> Option<Range<usize>> {
    let item = match place {
        Place::Default(names) => {
            let table = document.get("default")?;
            names
                .iter()
                .try_fold(table, |item, name| item.get(name.as_str()))?
        }
        Place::Entry(index) => document.get("limit")?.get(*index)?.get("max")?,
    };
    item.as_value()?.span()
}

#[cfg(test)]
mod tests {
    use super::super::{Row, budget::Limit};
    use super::*;
    use crate::units::Unit;

    /// The budget's text after a run in which each limit's number was this one, or was not exact.
    fn after(text: &str, numbers: &[Option<i128>]) -> (String, Vec<Lowered>) {
        let budget = Budget::parse(text).expect("a budget");
        let judge = |(limit, exact): (&'static Limit, &Option<i128>)| Judged {
            limit,
            rows: vec![Row {
                of: String::new(),
                value: String::new(),
                most: String::new(),
                verdict: Verdict::Kept,
                exact: *exact,
                number: *exact,
                most_number: None,
                unit: Unit::Count,
            }],
            culprits: Vec::new(),
        };
        let limits: &'static [Limit] = Box::leak(budget.limits.into_boxed_slice());
        let judged: Vec<Judged<'_>> = limits.iter().zip(numbers).map(judge).collect();
        lowered(text, &judged).expect("TOML")
    }

    const BUDGET: &str = r#"# Of the nightly build.
[default]   # for all
heap.peak_bytes = "64MiB"     # the container has 128
"processes" = 7

[[limit]]
metric = "functions.malloc.calls"   # per request: 12
max = 120_000  # was 200,000
[[limit]]
max = "5ms"
metric = "functions.fsync.latency.p99"
"#;

    #[test]
    fn limits_are_lowered_in_place() {
        let measured = [Some(50_000_000), Some(7), Some(118_234), None];
        let (text, lowered) = after(BUDGET, &measured);
        let expected = BUDGET
            .replace("\"64MiB\"", "\"47.7MiB\"")
            .replace("120_000", "118234");
        assert_eq!(text, expected);
        let said: Vec<_> = lowered
            .iter()
            .map(|of| (of.metric.as_str(), of.from.as_str(), of.to.as_str()))
            .collect();
        assert_eq!(
            said,
            [
                ("heap.peak_bytes", "\"64MiB\"", "\"47.7MiB\""),
                ("functions.malloc.calls", "120_000", "118234"),
            ]
        );
    }

    #[test]
    fn lines_keep_their_ends() {
        let text = BUDGET.replace('\n', "\r\n");
        let (lower, lowered) = after(&text, &[Some(1 << 20), Some(7), Some(7), None]);
        let expected = text
            .replace("\"64MiB\"", "\"1MiB\"")
            .replace("120_000", "7");
        assert_eq!((lower, lowered.len()), (expected, 2));
    }

    #[test]
    fn what_is_not_lower_stays() {
        let measured = [Some(64 << 20), Some(8), Some(120_000), Some(1)];
        assert_eq!(after(BUDGET, &measured), (BUDGET.to_owned(), vec![]));
    }

    #[test]
    fn limits_in_an_array_are_found() {
        let text = "limit = [{ metric = \"processes\", max = 9 }, { metric = \"leak_bytes\", max = \"1kB\" }]\n";
        let (text, lowered) = after(text, &[Some(3), Some(0)]);
        assert_eq!(
            text,
            "limit = [{ metric = \"processes\", max = 3 }, { metric = \"leak_bytes\", max = \"0kB\" }]\n"
        );
        assert_eq!(lowered.len(), 2);
    }

    /// The new limit is never below the number: the same run keeps it.
    #[test]
    fn the_same_run_keeps_what_was_lowered() {
        for number in (0..=(1_i128 << 20)).step_by(9973) {
            for unit in ["B", "kB", "KiB", "MiB", "GB"] {
                let text = format!("[default]\nheap.peak_bytes = \"4096{unit}\"\n");
                let (text, _) = after(&text, &[Some(number)]);
                let budget = Budget::parse(&text).expect("a budget");
                let max = budget.limits[0].max.expect("a limit");
                let max = max.of(Unit::Bytes).expect("bytes");
                assert!(
                    max >= number || unit == "B" && number > 4096,
                    "{number} in {text}"
                );
            }
        }
    }
}
