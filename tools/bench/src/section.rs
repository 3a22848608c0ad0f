//! The result of one subject: a table for readers, the values for programs.

use serde::Serialize;

use crate::interleave::Rounds;
use crate::stats::Spread;
use crate::table::{NOT_INSTALLED, Table, number};
use crate::target::Target;

/// The result of a subject.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Section {
    /// The subject's name, as `--only` takes it and as the page's template has it.
    pub name: String,
    /// What was measured, for a heading.
    pub title: String,
    /// The unit of the values.
    pub unit: String,
    /// The contenders.
    pub rows: Vec<Row>,
    /// What else a reader should know, a sentence each.
    pub notes: Vec<String>,
    /// A table that suits the subject better than one line for each row.
    #[serde(skip)]
    own_table: Option<Table>,
}

/// One contender of a subject.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Row {
    /// What was run, or what was measured of it.
    pub name: String,
    /// What each round measured, in the section's unit; empty where the tool is not installed.
    pub values: Vec<f64>,
    /// The ratio to the same work without a tool, per round.
    pub to_no_tool: Option<Spread>,
    /// The ratio to the C limit that knows the same, per round.
    pub to_limit: Option<Spread>,
    /// What Weir aims at here.
    pub target: Option<Target>,
}

impl Row {
    /// The row of contender number `run` of `rounds`.
    pub fn measured(name: impl Into<String>, rounds: &Rounds, run: usize) -> Self {
        Self {
            name: name.into(),
            values: rounds.values(run),
            ..Self::default()
        }
    }

    /// The row of values that were not measured in rounds.
    pub fn values(name: impl Into<String>, values: Vec<f64>) -> Self {
        Self {
            name: name.into(),
            values,
            ..Self::default()
        }
    }

    /// The row of a tool that this machine does not have.
    pub fn not_installed(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// Adds the ratio to the same work without a tool.
    pub fn over_no_tool(mut self, ratio: Spread) -> Self {
        self.to_no_tool = Some(ratio);
        self
    }

    /// Adds the ratio to the C limit.
    pub fn over_limit(mut self, ratio: Spread) -> Self {
        self.to_limit = Some(ratio);
        self
    }

    /// Adds what Weir aims at.
    pub fn aiming_at(mut self, target: Target) -> Self {
        self.target = Some(target);
        self
    }
}

impl Section {
    /// A subject's result; its name is that of the subject.
    pub fn new(title: impl Into<String>, unit: impl Into<String>, rows: Vec<Row>) -> Self {
        Self {
            title: title.into(),
            unit: unit.into(),
            rows,
            ..Self::default()
        }
    }

    /// Adds a sentence below the table.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Has this table shown in place of one line for each row.
    pub fn shown_as(mut self, table: Table) -> Self {
        self.own_table = Some(table);
        self
    }

    /// The table, and the notes below it.
    pub fn markdown(&self) -> String {
        let mut text = match &self.own_table {
            Some(table) => table.to_string(),
            None => self.row_table().to_string(),
        };
        for note in &self.notes {
            text.push_str(&format!("\n{note}\n"));
        }
        text
    }

    /// One line for each row.
    fn row_table(&self) -> Table {
        let mut table = Table::new([
            "",
            &self.unit,
            "× no tool",
            "× C limit",
            "target",
            "verdict",
        ]);
        for row in &self.rows {
            let value = match &row.values[..] {
                [] => NOT_INSTALLED.into(),
                values => median_and_range(&Spread::of(values)),
            };
            let ratio =
                |ratio: &Option<Spread>| ratio.as_ref().map_or_else(String::new, median_and_range);
            let (target, verdict) = match &row.target {
                Some(target) => (target.text().into(), target.verdict().to_string()),
                None => Default::default(),
            };
            let cells = [
                row.name.clone(),
                value,
                ratio(&row.to_no_tool),
                ratio(&row.to_limit),
                target,
                verdict,
            ];
            table.push(cells.into());
        }
        table.without_empty_columns()
    }
}

/// `12.0 (10.0–14.0)`, or the median alone where nothing lies beside it.
fn median_and_range(spread: &Spread) -> String {
    let Spread { median, min, max } = *spread;
    match min == max {
        true => number(median),
        false => format!("{} ({}–{})", number(median), number(min), number(max)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::Bound;

    #[test]
    fn the_table_shows_what_there_is() {
        let ratio = Spread {
            median: 1.25,
            min: 1.0,
            max: 1.5,
        };
        let rows = vec![
            Row::values("no tool", vec![12.0, 10.0, 14.0]),
            Row::values("weir", vec![15.0])
                .over_no_tool(ratio)
                .aiming_at(Target::new(Bound::AtMost(1.0), "≤ 1.00", ratio.median)),
            Row::not_installed("peer"),
        ];
        let section = Section::new("Pairs", "ns per pair", rows).note("Mind the gap.");
        assert_eq!(
            section.markdown(),
            "\
|         |      ns per pair |        × no tool | target | verdict        |
| ------- | ---------------: | ---------------: | ------ | -------------- |
| no tool | 12.0 (10.0–14.0) |                  |        |                |
| weir    |             15.0 | 1.25 (1.00–1.50) | ≤ 1.00 | missed by 25 % |
| peer    |    not installed |                  |        |                |

Mind the gap.
"
        );
    }

    #[test]
    fn a_table_of_its_own_takes_the_place_of_the_rows() {
        let mut table = Table::new(["", "malloc"]);
        table.push(vec!["no tool".into(), "50".into()]);
        let section =
            Section::new("Calls", "", vec![Row::not_installed("peer")]).shown_as(table.clone());
        assert_eq!(section.markdown(), table.to_string());
    }
}
