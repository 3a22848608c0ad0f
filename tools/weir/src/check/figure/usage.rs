//! What processes took of the machine.

use std::cmp::Reverse;

use weir_report::model::Report;

use super::{Figure, Value, exact, name, no_such};
use crate::report::loss::{self, About, Suffered};
use crate::report::taken::{self, OfProcess, Taken};

const NO_READING: &str = "it was not read; weir run reads it in processes that live for 5 ms or longer, and reports of several runs lose it";

/// That of all processes: the largest size of one, or the sum.
pub fn of_all<'r>(report: &Report, words: &[&str]) -> Result<Figure<'r>, String> {
    let processes = taken::of_each(&report.processes);
    let read = processes.iter().filter(|process| process.taken.is_some());
    let of = (Taken::by_all(&processes), read.count());
    let unread = taken::unread(&processes);
    let mut losses = loss::suffered(&report.missed, About::Usage);
    losses.extend(taken::not_read(unread));
    figure(String::new(), of, losses, words)
}

/// That of each process, with all images that it was: the counts of an image are those of its process.
pub fn of_each<'r>(report: &Report, words: &[&str]) -> Result<Vec<Figure<'r>>, String> {
    let one = |process: &OfProcess<'_>| {
        let unread = match process.is_read_to_its_end() {
            true => 0,
            false => process.image.stands_for(),
        };
        let mut losses = loss::suffered(&process.image.missed, About::Usage);
        losses.extend(taken::not_read(unread));
        figure(name(process.image), (process.taken, 1), losses, words)
    };
    taken::of_each(&report.processes).iter().map(one).collect()
}

/// The processes that took most, at most so many: how much, and which.
pub fn most(report: &Report, words: &[&str], count: usize) -> Vec<(String, String)> {
    let mut each = of_each(report, words).unwrap_or_default();
    each.retain(|figure| figure.value.number().is_some_and(|number| number > 0));
    each.sort_by_key(|figure| Reverse(figure.value.number()));
    each.truncate(count);
    let shown = each.into_iter().map(|figure| {
        let number = figure.value.number().unwrap_or_default();
        (format!("≈{}", figure.unit.shown(number)), figure.of)
    });
    shown.collect()
}

/// What so many processes took, as a number of them.
fn figure<'r>(
    of: String,
    (taken, processes): (Option<Taken>, usize),
    losses: Vec<Suffered>,
    words: &[&str],
) -> Result<Figure<'r>, String> {
    let known = exact(&taken.unwrap_or_default(), &words[1..]);
    let (unit, value) = known.ok_or_else(|| no_such(words))?;
    let value = match (taken, value) {
        (None, _) => Value::Unknown(NO_READING.to_owned()),
        (Some(_), Value::Exact(value)) => {
            let (less, more) = taken::errors(unit, processes);
            // Never exact: the next run takes more or less.
            Value::Between {
                value,
                low: value.saturating_sub(less.into()).max(0),
                high: value.saturating_add(more.into()),
            }
        }
        (Some(_), other) => other,
    };
    Ok(Figure {
        of,
        key: Default::default(),
        unit,
        value,
        losses,
    })
}
