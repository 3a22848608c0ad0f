//! Whether a limit is kept.

use weir_report::longer_than;

use super::figure::{Figure, Value};
use crate::report::loss::Loss;
use crate::units;
use crate::units::Unit;

/// What is to be said of a number and its limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is kept.
    Kept,
    /// It is broken.
    Broken,
    /// The report does not say, and why.
    CannotTell(String),
}

impl Verdict {
    /// The worst is the greatest.
    pub fn severity(&self) -> u8 {
        match self {
            Verdict::Kept => 0,
            Verdict::CannotTell(_) => 1,
            Verdict::Broken => 2,
        }
    }
}

/// The share of limits that are kept and taken for broken, by chance alone.
const ERROR_RATE: f64 = 0.05;

/// Judges a number that must not be greater than `most`.
pub fn judge(figure: &Figure<'_>, most: i128, min_samples: u64, accepted: &[Loss]) -> Verdict {
    let verdict = match &figure.value {
        Value::Unknown(reason) => return Verdict::CannotTell(reason.clone()),
        Value::Exact(value) => compare(*value, most),
        Value::Between { low, high, .. } => {
            if *low > most {
                Verdict::Broken
            } else if *high > most {
                let shown = |number| figure.unit.shown(number);
                Verdict::CannotTell(format!(
                    "it is known to lie between {} and {}",
                    shown(*low),
                    shown(*high)
                ))
            } else {
                Verdict::Kept
            }
        }
        Value::Percentile { ns, part, latency } => {
            let tail = longer_than(latency, u64::try_from(most).unwrap_or(0));
            let Some(tail) = tail else {
                return Verdict::CannotTell("its histogram cannot be read".to_owned());
            };
            if tail.samples < min_samples {
                Verdict::CannotTell(format!(
                    "{} calls were timed, of at least {}",
                    units::count(tail.samples),
                    units::count(min_samples)
                ))
            } else if i128::from(*ns) <= most {
                Verdict::Kept
            } else if is_significant(tail.longer, tail.samples, 1.0 - part) {
                Verdict::Broken
            } else {
                Verdict::CannotTell(format!(
                    "{} of {} calls took longer, which may be chance",
                    units::count(tail.longer),
                    units::count(tail.samples)
                ))
            }
        }
    };
    if verdict != Verdict::Kept {
        return verdict;
    }
    let not_accepted = figure
        .losses
        .iter()
        .filter(|(loss, _)| !accepted.contains(loss));
    let not_accepted: Vec<&str> = not_accepted
        .map(|(_, sentence)| sentence.as_str())
        .collect();
    match not_accepted.is_empty() {
        true => Verdict::Kept,
        false => Verdict::CannotTell(not_accepted.join("; ")),
    }
}

fn compare(value: i128, most: i128) -> Verdict {
    match value <= most {
        true => Verdict::Kept,
        false => Verdict::Broken,
    }
}

/// Whether so many of the calls would seldom be among them if each were so with this probability or a smaller one: a one-sided
/// binomial test.
fn is_significant(longer: u64, samples: u64, probability: f64) -> bool {
    let (n, p) = (samples as f64, probability);
    let mean = n * p;
    if (longer as f64) <= mean {
        return false;
    }
    if mean > 10_000.0 {
        // The normal distribution, with the half that lies between whole numbers.
        let z = (longer as f64 - 0.5 - mean) / (mean * (1.0 - p)).sqrt();
        return z > 1.645;
    }
    // The probability of fewer, term by term. Sums of logarithms do not underflow.
    let mut term = n * (1.0 - p).ln();
    let mut fewer = 0.0;
    for k in 0..longer {
        fewer += term.exp();
        let k = k as f64;
        term += ((n - k) / (k + 1.0)).ln() + (p / (1.0 - p)).ln();
    }
    1.0 - fewer < ERROR_RATE
}

/// What a limit allows, given what the same number was before and by which part it may grow.
pub fn most_after(before: i128, increase: f64) -> i128 {
    let more = (before.max(0) as f64 * increase).floor();
    before.saturating_add(more as i128)
}

/// The number and what it may be at most, for people.
pub fn shown(value: &Value<'_>, most: Option<i128>, unit: Unit) -> (String, String) {
    let (number, most) = match (value.number(), most) {
        (Some(number), Some(most)) => unit.both_shown(number, most),
        (number, most) => {
            let shown = |number: Option<i128>| {
                number.map_or_else(|| units::NONE.to_owned(), |number| unit.shown(number))
            };
            (shown(number), shown(most))
        }
    };
    match value {
        Value::Between { .. } => (format!("≈{number}"), most),
        _ => (number, most),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_alone_breaks_few_limits() {
        // The exact probabilities of at least so many of 300 with one in a hundred each: 0.0829 of 6, 0.0328 of 7.
        assert!(!is_significant(6, 300, 0.01));
        assert!(is_significant(7, 300, 0.01));
        // Of at least 1 of 3: 0.0297.
        assert!(is_significant(1, 3, 0.01));
        assert!(!is_significant(0, 3, 0.01));
        assert!(!is_significant(10_000, 1_000_000, 0.01));
        // Both ways to compute it agree where they meet.
        let first = |samples: u64| (0..).find(|&longer| is_significant(longer, samples, 0.5));
        let (exact, normal) = (first(20_000), first(20_001));
        assert!(
            exact
                .zip(normal)
                .is_some_and(|(exact, normal)| exact.abs_diff(normal) <= 2)
        );
    }

    #[test]
    fn a_limit_that_is_just_kept_is_seldom_taken_for_broken() {
        // Each of 300 calls is too long with the probability of one in a hundred.
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        let mut is_long = || {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random.is_multiple_of(100)
        };
        let trials = 2000;
        let broken = (0..trials).filter(|_| {
            let longer = (0..300).filter(|_| is_long()).count();
            is_significant(longer as u64, 300, 0.01)
        });
        // 0.0328 of them, give or take four standard errors.
        let share = broken.count() as f64 / f64::from(trials);
        assert!((0.016..0.05).contains(&share), "{share}");
    }

    #[test]
    fn what_may_grow_is_rounded_down() {
        assert_eq!(most_after(100, 0.02), 102);
        assert_eq!(most_after(149, 0.02), 151);
        assert_eq!(most_after(0, 5.0), 0);
        assert_eq!(most_after(-10, 0.5), -10);
    }
}
