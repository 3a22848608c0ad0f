//! Which numbers differ between two sides, each of one report or more.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use super::number::{Number, Range};
use super::numbers::{DURATION, Key, Numbers, Section};
use super::renamed;
use crate::units::Unit;

/// The most that the probability may be that a page names a percentile or an estimate that is the same on both sides.
pub const ERROR_RATE: f64 = 0.01;

/// Latencies that are no further apart differ by what reading the clock takes.
pub const CLOCK_NS: i64 = 20;

/// A number that differs.
#[derive(Clone, Debug)]
pub struct Change {
    pub key: Key,
    pub unit: Unit,
    pub before: Range,
    pub after: Range,
    /// A call site with its file and line.
    pub place: Option<String>,
    /// Whether it was counted in part in a run, so that its value is the least that it can be.
    pub is_partial: bool,
}

impl Change {
    /// Both numbers; where they were counted in part, those that are nearest to each other.
    pub fn values(&self) -> (i64, i64) {
        match (self.is_partial, self.after.low > self.before.high) {
            (false, _) => (self.before.value, self.after.value),
            (true, true) => (self.before.high, self.after.low),
            (true, false) => (self.before.low, self.after.high),
        }
    }

    /// By how much.
    pub fn by(&self) -> i64 {
        let (before, after) = self.values();
        after.saturating_sub(before)
    }
}

/// What was compared.
#[derive(Debug)]
pub struct Comparison {
    /// What differs, section by section; in a section first what counts for most.
    pub changes: Vec<Change>,
    /// The measured times of both sides, whether they differ or not.
    pub times: Vec<Change>,
    /// What the processes of both sides took of the machine, whether it differs or not; nothing where a side was not read.
    pub usage: Vec<Change>,
    /// How many functions, files, … of each section were compared, of those that a side used.
    pub compared: BTreeMap<Section, usize>,
    /// How many runs there are of each side.
    pub runs: (usize, usize),
    /// How many numbers were compared.
    pub numbers: usize,
    /// Whether a side has several processes.
    pub has_processes: bool,
    /// Whether call sites were compared: all runs have them, with names.
    pub has_sites: bool,
    /// What could not be compared, and why, a sentence each.
    pub not_compared: Vec<String>,
}

impl Comparison {
    /// The changes of a section.
    pub fn of(&self, section: Section) -> impl Iterator<Item = &Change> {
        self.changes
            .iter()
            .filter(move |change| change.key.section == section)
    }

    /// How many functions, files, … of a section differ.
    pub fn changed(&self, section: Section) -> usize {
        let names: BTreeSet<_> = self.of(section).map(|change| name(&change.key)).collect();
        names.len()
    }

    /// Of how many numbers that vary from run to run one is above or below all of the other side by chance.
    pub fn one_in(&self) -> f64 {
        // The ways to divide all runs into two sides, of which two have the runs in order.
        let more = (1..=self.runs.1).map(|of| (self.runs.0 + of) as f64 / of as f64);
        more.product::<f64>() / 2.0
    }

    /// Whether there are enough runs to decide that a number differs which varies from run to run.
    pub fn can_compare_times(&self) -> bool {
        self.one_in() * ERROR_RATE >= 1.0
    }
}

fn name(key: &Key) -> (&str, &str) {
    (&key.name, &key.aside)
}

/// Compares two sides.
pub fn compare(before: &[Numbers], after: &[Numbers]) -> Comparison {
    let all = || before.iter().chain(after);
    let keys: BTreeSet<&Key> = all().flat_map(Numbers::keys).collect();
    // One program is the whole.
    let has_programs = all().any(|numbers| numbers.programs > 1);
    let is_comparable = |key: &&Key| {
        (has_programs || key.section != Section::Programs)
            && all().all(|numbers| numbers.get(key).is_some())
    };
    let keys: Vec<&Key> = keys.into_iter().filter(is_comparable).collect();
    let is_uncertain = |key: &&&Key| {
        all().any(|numbers| numbers.get(key).is_some_and(|number| number.is_uncertain()))
    };
    let uncertain = keys.iter().filter(is_uncertain).count().max(1);
    // One of four bounds must be wrong for a number to differ that does not.
    let rate = ERROR_RATE / (4 * uncertain) as f64;
    let mut comparison = Comparison {
        changes: Vec::new(),
        times: Vec::new(),
        usage: Vec::new(),
        compared: BTreeMap::new(),
        runs: (before.len(), after.len()),
        numbers: keys.len(),
        has_processes: all().any(|numbers| numbers.processes > 1),
        has_sites: !all().any(|numbers| numbers.lacks(Section::Sites)),
        not_compared: Vec::new(),
    };
    let mut used: BTreeSet<(Section, (&str, &str))> = BTreeSet::new();
    let mut totals: BTreeMap<(Section, &str), f64> = BTreeMap::new();
    for key in keys {
        let range = |side: &[Numbers]| {
            let ranges = side.iter().filter_map(|of| Some(of.get(key)?.range(rate)));
            // Enough runs show what a number varies by from one to the next.
            let ranges: Vec<Range> =
                match key.section == Section::Latency && comparison.can_compare_times() {
                    true => ranges.map(|range| Range::only(range.value)).collect(),
                    false => ranges.collect(),
                };
            Range::of_all(&ranges)
        };
        let (Some(before_it), Some(after_it)) = (range(before), range(after)) else {
            continue;
        };
        if (before_it, after_it) != (Range::default(), Range::default()) {
            used.insert((key.section, name(key)));
        }
        let total = totals
            .entry((key.section, key.metric.as_str()))
            .or_default();
        *total += before_it.value as f64 + after_it.value as f64;
        let change = Change {
            key: key.clone(),
            unit: all()
                .find_map(|numbers| numbers.unit(key))
                .unwrap_or(Unit::Count),
            before: before_it,
            after: after_it,
            place: all()
                .rev()
                .find_map(|numbers| numbers.place(key))
                .map(str::to_owned),
            is_partial: !matches!(key.section, Section::Whole | Section::Latency)
                && comparison.runs == (1, 1)
                && all().any(|numbers| matches!(numbers.get(key), Some(Number::Between { .. }))),
        };
        let varies = all().any(|numbers| numbers.get(key).is_some_and(|number| number.varies()));
        let differs = match key.section {
            Section::Latency => before_it.is_apart_by(&after_it, CLOCK_NS),
            _ => before_it.is_apart_by(&after_it, 0),
        };
        let differs = differs && (!varies || comparison.can_compare_times());
        match key.section {
            Section::Time => comparison.times.push(change.clone()),
            Section::Usage => comparison.usage.push(change.clone()),
            _ => {}
        }
        if differs {
            comparison.changes.push(change);
        }
    }
    renamed::leave_out(&mut comparison.changes);
    for (section, _) in used {
        *comparison.compared.entry(section).or_default() += 1;
    }
    sort(&mut comparison.changes, &totals);
    // The whole first.
    comparison
        .times
        .sort_by_key(|time| time.key.metric != DURATION);
    comparison
}

/// Puts the changes of one function or file together, and those first that are the largest part of what all have.
fn sort(changes: &mut [Change], totals: &BTreeMap<(Section, &str), f64>) {
    let weight = |change: &Change| {
        let total = totals.get(&(change.key.section, change.key.metric.as_str()));
        let by = change.by().unsigned_abs() as f64;
        match change.key.section {
            // A part of all functions' times says nothing.
            Section::Latency => by / change.before.value.max(1) as f64,
            _ => by / total.copied().unwrap_or(1.0).max(1.0),
        }
    };
    let mut weights: BTreeMap<(Section, (String, String)), f64> = BTreeMap::new();
    let group = |change: &Change| {
        let key = &change.key;
        (key.section, (key.name.clone(), key.aside.clone()))
    };
    for change in changes.iter() {
        let greatest = weights.entry(group(change)).or_default();
        *greatest = greatest.max(weight(change));
    }
    let weight_of = |change: &Change| weights.get(&group(change)).copied().unwrap_or(0.0);
    changes.sort_by(|one, other| {
        one.key
            .section
            .cmp(&other.key.section)
            .then_with(|| {
                weight_of(other)
                    .partial_cmp(&weight_of(one))
                    .unwrap_or(Ordering::Equal)
            })
            .then_with(|| one.key.cmp(&other.key))
    });
}
