//! The result, for people.

use std::path::Path;

use super::verdict::Verdict;
use super::{Judged, Row, outcome};
use crate::report::page::{Cell, Column, Page, Table};
use crate::text;

/// A page of so many columns: a line for each limit, then the reasons and the culprits.
pub fn text(budget: &Path, judged: &[Judged<'_>], width: usize, coloured: bool) -> String {
    let mut page = Page::new(width, coloured);
    let aside = format!("{}: {}", budget.display(), outcome(judged));
    page.heading("Budget", &text::printable(&aside));
    let mut table = Table::new([
        Column::name("", 0, 11),
        Column::name("metric", 0, 31),
        Column::name("of", 2, 12),
        Column::number("is", 0),
        Column::number("at most", 0),
        Column::number("line", 3),
    ]);
    for one in judged {
        let Some(row) = one.rows.first() else {
            continue;
        };
        let of = match one.rows.len() {
            1 => row.of.clone(),
            many => format!("{} and {} more", row.of, many - 1),
        };
        table.push([
            verdict(row),
            Cell::new(&one.limit.metric),
            Cell::new(of),
            Cell::new(&row.value),
            Cell::new(&row.most),
            Cell::new(one.limit.line.to_string()),
        ]);
    }
    page.table(table.without_empty_columns());
    let reasons = reasons(judged);
    if !reasons.is_empty() {
        page.heading("Undecided", "");
        page.sentences(&reasons);
    }
    for one in judged {
        if !one.culprits.is_empty() {
            page.heading("Where", &text::printable(&one.limit.metric));
            let culprits: Vec<String> = one
                .culprits
                .iter()
                .map(|(by, place)| format!("{by}: {place}"))
                .collect();
            page.sentences(&culprits);
        }
    }
    page.into_text()
}

fn verdict(row: &Row) -> Cell {
    match row.verdict {
        Verdict::Kept => Cell::new("kept"),
        Verdict::Broken => Cell::alarming("broken"),
        Verdict::CannotTell(_) => Cell::alarming("cannot tell"),
    }
}

/// A sentence for each limit that is undecided.
fn reasons(judged: &[Judged<'_>]) -> Vec<String> {
    let sentences = judged.iter().filter_map(|one| match one.verdict() {
        Verdict::CannotTell(reason) => Some(format!("{}: {reason}", one.limit.metric)),
        _ => None,
    });
    sentences.collect()
}
