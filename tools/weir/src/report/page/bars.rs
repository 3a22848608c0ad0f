//! Counts as bars.

use super::Page;
use crate::{text, units};

/// The longest bar.
const LONGEST: usize = 40;

impl Page {
    /// A line for each count: what it is of, the count, its share of all, and a bar. `most` is the count of the longest bar.
    pub fn bars(&mut self, rows: &[(String, u64)], most: u64) {
        let all = rows
            .iter()
            .fold(0, |sum: u64, row| sum.saturating_add(row.1));
        let widest = |of: fn(&(String, u64)) -> usize| rows.iter().map(of).max().unwrap_or(0);
        let labels = widest(|(label, _)| text::width(label));
        let counts = widest(|&(_, count)| units::count(count).len());
        let columns = self
            .room()
            .saturating_sub(labels + counts + 12)
            .min(LONGEST);
        for (label, count) in rows {
            let label = format!("{}{label}", " ".repeat(labels - text::width(label)));
            let bar = bar(*count, most, columns);
            let share = units::share(*count, all);
            let count = units::count(*count);
            let line = format!("{label}  {count:>counts$}  {share:>7} {bar}");
            self.line(line.trim_end());
        }
    }
}

/// A bar of so many columns for the most, and at least an eighth of a column for any.
fn bar(calls: u64, most: u64, columns: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    if calls == 0 || most == 0 {
        return String::new();
    }
    let part = (calls as f64 / most as f64).min(1.0);
    let eighths = ((part * columns as f64 * 8.0).round() as usize).max(1);
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_in_proportion_and_never_invisible() {
        assert_eq!(bar(10, 10, 3), "███");
        assert_eq!(bar(5, 10, 3), "█▌");
        assert_eq!(bar(1, u64::MAX, 3), "▏");
        assert_eq!(bar(0, 10, 3), "");
        assert_eq!(bar(u64::MAX, 1, 3), "███");
    }
}
