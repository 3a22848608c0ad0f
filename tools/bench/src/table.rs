//! Markdown tables, aligned so that they can be read as text as well, and the way of writing numbers.

use std::fmt;

/// A table of text: the first column left-aligned, the others right-aligned where they are numeric.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    headers: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table with these columns.
    pub fn new<S: Into<String>>(headers: impl IntoIterator<Item = S>) -> Self {
        Self {
            headers: headers.into_iter().map(Into::into).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    ///
    /// # Panics
    ///
    /// Where it has not a cell for each column.
    pub fn push(&mut self, row: Vec<String>) {
        assert_eq!(
            row.len(),
            self.headers.len(),
            "a row has a cell for each column"
        );
        self.rows.push(row);
    }

    /// Takes away the columns that are empty in every row.
    pub fn without_empty_columns(self) -> Self {
        let kept: Vec<usize> = (0..self.headers.len())
            .filter(|&column| self.rows.iter().any(|row| !row[column].is_empty()))
            .collect();
        let pick = |cells: &[String]| kept.iter().map(|&column| cells[column].clone()).collect();
        Self {
            headers: pick(&self.headers),
            rows: self.rows.iter().map(|row| pick(row)).collect(),
        }
    }

    /// Whether a column holds numbers: every cell that is not empty begins with one.
    fn is_numeric(&self, column: usize) -> bool {
        let begins_as_number = |cell: &str| {
            cell.trim_start_matches(['-', '+'])
                .starts_with(|c: char| c.is_ascii_digit())
        };
        column > 0
            && self
                .rows
                .iter()
                .map(|row| &row[column])
                .any(|cell| begins_as_number(cell))
            && self
                .rows
                .iter()
                .map(|row| &row[column])
                .all(|cell| cell.is_empty() || begins_as_number(cell) || cell == NOT_INSTALLED)
    }
}

/// What stands in place of the figure of a tool that this machine does not have.
pub const NOT_INSTALLED: &str = "not installed";

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let escape = |cells: &[String]| cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
        let headers: Vec<String> = escape(&self.headers);
        let rows: Vec<Vec<String>> = self.rows.iter().map(|row| escape(row)).collect();
        let numeric: Vec<bool> = (0..headers.len())
            .map(|column| self.is_numeric(column))
            .collect();
        let widths: Vec<usize> = (0..headers.len())
            .map(|column| {
                let cells = rows
                    .iter()
                    .map(|row| &row[column])
                    .chain([&headers[column]]);
                cells
                    .map(|cell| cell.chars().count())
                    .max()
                    .unwrap_or(0)
                    .max(3)
            })
            .collect();

        let line = |f: &mut fmt::Formatter<'_>, cells: &[String]| {
            for ((cell, &width), &numeric) in cells.iter().zip(&widths).zip(&numeric) {
                match numeric {
                    true => write!(f, "| {cell:>width$} ")?,
                    false => write!(f, "| {cell:<width$} ")?,
                }
            }
            writeln!(f, "|")
        };
        line(f, &headers)?;
        for (&width, &numeric) in widths.iter().zip(&numeric) {
            let (dashes, end) = if numeric {
                (width - 1, ":")
            } else {
                (width, "")
            };
            write!(f, "| {}{end} ", "-".repeat(dashes))?;
        }
        writeln!(f, "|")?;
        rows.iter().try_for_each(|row| line(f, row))
    }
}

/// A number with about three digits that matter, and its thousands apart: `1.23`, `12.3`, `123`, `1,234`.
pub fn number(value: f64) -> String {
    let digits = match value.abs() {
        size if size < 9.995 => 2,
        size if size < 99.95 => 1,
        _ => 0,
    };
    let text = format!("{value:.digits$}");
    // A difference that rounds to nothing has no sign.
    let text = text
        .strip_prefix('-')
        .filter(|size| size.trim_matches(['0', '.']).is_empty())
        .unwrap_or(&text);
    match text.split_once('.') {
        Some((whole, fraction)) => format!("{}.{fraction}", grouped(whole)),
        None => grouped(text),
    }
}

/// A count, its thousands apart.
pub fn count(value: u64) -> String {
    grouped(&value.to_string())
}

/// Decimal digits, perhaps with a sign, with a comma between each group of three.
fn grouped(digits: &str) -> String {
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", digits),
    };
    let mut text = String::from(sign);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
        cells.map(String::from).to_vec()
    }

    #[test]
    fn renders_aligned_markdown() {
        let mut table = Table::new(["tool", "ns", "verdict"]);
        table.push(row(["no tool", "9.87", ""]));
        table.push(row(["`a|b`", "1,234", "reached"]));
        assert_eq!(
            table.to_string(),
            "| tool    |    ns | verdict |\n\
             | ------- | ----: | ------- |\n\
             | no tool |  9.87 |         |\n\
             | `a\\|b`  | 1,234 | reached |\n"
        );
    }

    #[test]
    fn a_missing_tool_leaves_its_column_numeric() {
        let mut table = Table::new(["tool", "ns"]);
        table.push(row(["a", "1"]));
        table.push(row(["b", NOT_INSTALLED]));
        assert!(table.to_string().contains("| ------------: |"));
    }

    #[test]
    fn empty_columns_go() {
        let mut table = Table::new(["tool", "empty", "ns"]);
        table.push(row(["a", "", "1"]));
        table.push(row(["b", "", ""]));
        let mut expected = Table::new(["tool", "ns"]);
        expected.push(row(["a", "1"]));
        expected.push(row(["b", ""]));
        assert_eq!(table.without_empty_columns(), expected);
    }

    #[test]
    #[should_panic(expected = "a cell for each column")]
    fn a_row_of_another_length_is_a_mistake() {
        Table::new(["a", "b"]).push(row(["1"]));
    }

    #[test]
    fn numbers_keep_three_digits() {
        let texts = [
            0.0, 1.0, 9.99, 9.996, 12.345, 99.97, 123.4, 999.6, 1234.0, 665000.0,
        ];
        assert_eq!(
            texts.map(number),
            [
                "0.00", "1.00", "9.99", "10.0", "12.3", "100", "123", "1,000", "1,234", "665,000"
            ]
        );
        assert_eq!(number(-1234.5), "-1,234");
        assert_eq!(number(-0.25), "-0.25");
        assert_eq!(number(-0.001), "0.00");
    }

    #[test]
    fn counts_are_grouped() {
        assert_eq!(
            [0, 999, 1000, 1234567].map(count),
            ["0", "999", "1,000", "1,234,567"]
        );
    }
}
