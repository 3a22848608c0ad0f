//! The result in the text format of OpenMetrics 1.0, as GitLab shows it in merge requests (`artifacts:reports:metrics`).

use std::collections::HashMap;
use std::path::Path;

use weir_report::emit;

use super::verdict::Verdict;
use super::{Judged, Per};
use crate::failure::Failure;
use crate::openmetrics::{Text, in_base_units};

/// Writes the file.
pub fn write(path: &Path, judged: &[Judged<'_>]) -> Result<(), Failure> {
    emit::replace(path, text(judged).as_bytes())
        .map_err(|error| Failure::of_file("write", path, error.into()))
}

/// The metrics of each limit: the name, and what it means.
const FAMILIES: [(&str, &str); 3] = [
    (
        "weir_value",
        "What was measured: a number, bytes or seconds.",
    ),
    ("weir_limit", "The most that the budget allows."),
    (
        "weir_kept",
        "Whether the limit is kept: 1, 0, or NaN where that is undecided.",
    ),
];

fn text(judged: &[Judged<'_>]) -> String {
    let labels = labels(judged);
    let mut text = Text::default();
    for (name, help) in FAMILIES {
        text.family(name, "gauge", help);
        for (one, labels) in judged.iter().zip(&labels) {
            let Some(row) = one.rows.first() else {
                continue;
            };
            let value = match name {
                "weir_value" => row.number.map(|number| in_base_units(number, row.unit)),
                "weir_limit" => row.most_number.map(|most| in_base_units(most, row.unit)),
                _ => Some(match row.verdict {
                    Verdict::Kept => "1".to_owned(),
                    Verdict::Broken => "0".to_owned(),
                    Verdict::CannotTell(_) => "NaN".to_owned(),
                }),
            };
            if let Some(value) = value {
                let labels: Vec<(&str, &str)> = labels
                    .iter()
                    .map(|(name, value)| (*name, value.as_str()))
                    .collect();
                text.sample(name, &labels, &value);
            }
        }
    }
    text.finish()
}

/// Names and values.
type Labels = Vec<(&'static str, String)>;

/// The labels of each limit. No two have the same, and they stay the same while a budget grows at its end.
fn labels(judged: &[Judged<'_>]) -> Vec<Labels> {
    let mut seen: HashMap<Labels, usize> = HashMap::new();
    let label = |one: &Judged<'_>| {
        let limit = one.limit;
        let per = match limit.per {
            Per::Report => None,
            Per::Process => Some("process"),
            Per::File => Some("file"),
            Per::Site => Some("site"),
        };
        let mut labels = vec![("metric", limit.metric.clone())];
        labels.extend(per.map(|per| ("per", per.to_owned())));
        labels.extend(limit.file.clone().map(|file| ("file", file)));
        let number = seen.entry(labels.clone()).or_default();
        *number += 1;
        if *number > 1 {
            labels.push(("number", number.to_string()));
        }
        labels
    };
    judged.iter().map(label).collect()
}
