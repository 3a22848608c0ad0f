//! Which sizes the most used functions were asked for, as bars.

use weir_report::model::SizeClass;

use super::measure;
use super::page::Page;
use super::subject::Subject;
use crate::cli::Sort;
use crate::{text, units};

/// How many functions have their sizes shown.
const FUNCTIONS: usize = 3;
/// How many classes of a function are shown; the rarest of more are summed up.
const CLASSES: usize = 12;

pub fn show(page: &mut Page, subject: &Subject<'_>, sort: Sort) {
    let called = measure::called(subject.functions, sort);
    let sized = called
        .iter()
        .filter(|(_, function)| !function.size_classes.is_empty());
    for (name, function) in sized.take(FUNCTIONS) {
        page.heading(
            &format!("Sizes that {} was asked for", text::printable(name)),
            "",
        );
        chart(page, &function.size_classes);
    }
}

/// The sizes of a function's calls.
pub fn chart(page: &mut Page, classes: &[SizeClass]) {
    let (shown, rest) = most_frequent(classes);
    let mut rows: Vec<(String, u64)> = shown
        .iter()
        .map(|class| (range(class), class.calls))
        .collect();
    if !rest.is_empty() {
        let calls = rest
            .iter()
            .fold(0, |sum: u64, class| sum.saturating_add(class.calls));
        rows.push((
            text::counted(rest.len() as u64, "other class", "other classes"),
            calls,
        ));
    }
    let most = shown.iter().map(|class| class.calls).max().unwrap_or(0);
    page.bars(&rows, most);
}

/// The classes with the most calls, in order of size, and the others.
fn most_frequent(classes: &[SizeClass]) -> (Vec<&SizeClass>, Vec<&SizeClass>) {
    let mut by_calls: Vec<&SizeClass> = classes.iter().collect();
    by_calls.sort_by_key(|class| (std::cmp::Reverse(class.calls), class.from_bytes));
    // A line for one class costs no more than a line for "one other".
    let kept = if classes.len() == CLASSES + 1 {
        CLASSES + 1
    } else {
        CLASSES.min(classes.len())
    };
    let rest = by_calls.split_off(kept);
    by_calls.sort_by_key(|class| class.from_bytes);
    (by_calls, rest)
}

/// `0 B`, `16–31 B`, `1–2 KiB`; classes of more than a kibibyte end where the next one begins.
fn range(class: &SizeClass) -> String {
    let (from, to) = (class.from_bytes, class.to_bytes);
    if from == to {
        return units::bytes(from);
    }
    if to < 1024 {
        return format!("{from}–{to} B");
    }
    let whole = |bytes: u64| {
        units::bytes(bytes)
            .replacen(".00 ", " ", 1)
            .replacen(".0 ", " ", 1)
    };
    let (from, to) = (whole(from), whole(to.saturating_add(1)));
    match (from.split_once(' '), to.split_once(' ')) {
        (Some((number, unit)), Some((_, same))) if unit == same => format!("{number}–{to}"),
        _ => format!("{from}–{to}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(from_bytes: u64, to_bytes: u64, calls: u64) -> SizeClass {
        SizeClass {
            from_bytes,
            to_bytes,
            calls,
        }
    }

    #[test]
    fn ranges_are_short() {
        let of = |from, to| range(&class(from, to, 1));
        assert_eq!(of(0, 0), "0 B");
        assert_eq!(of(16, 31), "16–31 B");
        assert_eq!(of(512, 1023), "512–1023 B");
        assert_eq!(of(1024, 2047), "1–2 KiB");
        assert_eq!(of(512 << 10, (1 << 20) - 1), "512 KiB–1 MiB");
        assert_eq!(of(1 << 63, u64::MAX), "8–16 EiB");
    }

    #[test]
    fn the_rarest_classes_are_summed_up() {
        let classes: Vec<SizeClass> = (0..20)
            .map(|n| class(1 << n, (2 << n) - 1, 100 - n))
            .collect();
        let (shown, rest) = most_frequent(&classes);
        assert_eq!((shown.len(), rest.len()), (CLASSES, 20 - CLASSES));
        assert!(shown.is_sorted_by_key(|class| class.from_bytes));
        let (shown, rest) = most_frequent(&classes[..CLASSES + 1]);
        assert_eq!((shown.len(), rest.len()), (CLASSES + 1, 0));
    }
}
