//! Numbers that two reports have of the same thing, as well as they are known.

use std::rc::Rc;

use weir_report::Ordered;

use super::bounds;

/// A number of one report.
#[derive(Clone, Debug)]
pub enum Number {
    /// It was counted.
    Exact(i64),
    /// It lies between two.
    Between { low: i64, value: i64, high: i64 },
    /// Bytes, estimated from samples, of which there is one for so many bytes.
    Sampled { sum: u64, distance: u64 },
    /// The time that this part of the calls took at most.
    Percentile {
        ns: u64,
        part: f64,
        calls: Rc<Ordered>,
    },
    /// A time that was measured; the next run has another one.
    Time(u64),
    /// What was read of processes while they ran, as far as that is known; the next run has another number.
    Read { low: i64, value: i64, high: i64 },
}

/// A number of one report or more: where it lies, and its likeliest value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range {
    pub low: i64,
    pub value: i64,
    pub high: i64,
}

impl Number {
    /// One of which so many more may be missing.
    pub fn at_least(value: u64, missing: u64) -> Number {
        match missing {
            0 => Number::Exact(whole(value)),
            _ => Number::Between {
                low: whole(value),
                value: whole(value),
                high: whole(value.saturating_add(missing)),
            },
        }
    }

    /// Nothing is known of it.
    pub const UNKNOWN: Number = Number::Between {
        low: i64::MIN,
        value: 0,
        high: i64::MAX,
    };

    /// Whether chance has to do with it.
    pub fn is_uncertain(&self) -> bool {
        matches!(self, Number::Sampled { .. } | Number::Percentile { .. })
    }

    /// Whether it differs from run to run.
    pub fn varies(&self) -> bool {
        matches!(self, Number::Time(_) | Number::Read { .. })
    }

    /// Where it lies; it is lower or higher with at most the probability `rate` each.
    pub fn range(&self, rate: f64) -> Range {
        match self {
            Number::Exact(value) => Range::only(*value),
            Number::Time(ns) => Range::only(whole(*ns)),
            Number::Between { low, value, high } | Number::Read { low, value, high } => Range {
                low: *low,
                value: *value,
                high: *high,
            },
            Number::Sampled { sum, distance } => {
                let distance = *distance as f64;
                let (low, high) = bounds::means(*sum as f64 / distance, rate);
                Range {
                    low: (low * distance) as i64,
                    value: whole(*sum),
                    high: (high * distance) as i64,
                }
            }
            Number::Percentile { ns, part, calls } => {
                let (low, high) = bounds::ranks(calls.calls(), *part, rate);
                let low = low.and_then(|rank| calls.at(rank));
                let high = high.and_then(|rank| calls.at(rank));
                Range {
                    low: low.map_or(0, |between| whole(*between.start())),
                    value: whole(*ns),
                    high: high.map_or(i64::MAX, |between| whole(*between.end())),
                }
            }
        }
    }
}

/// A number, in the form in which a difference of two is shown.
pub fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl Range {
    /// One number.
    pub fn only(value: i64) -> Range {
        Range {
            low: value,
            value,
            high: value,
        }
    }

    /// That of several runs: all of it, and the value in the middle.
    pub fn of_all(runs: &[Range]) -> Option<Range> {
        let mut values: Vec<i64> = runs.iter().map(|run| run.value).collect();
        values.sort_unstable();
        let low = runs.iter().map(|run| run.low).min()?;
        let high = runs.iter().map(|run| run.high).max()?;
        let value = values[(values.len() - 1) / 2];
        Some(Range { low, value, high })
    }

    /// Whether it is one number.
    pub fn is_exact(&self) -> bool {
        self.low == self.high
    }

    /// Whether all of one is above all of the other, by more than so much.
    pub fn is_apart_by(&self, other: &Range, least: i64) -> bool {
        self.low > other.high.saturating_add(least) || other.low > self.high.saturating_add(least)
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use hdrhistogram::Histogram;
    use hdrhistogram::serialization::{Serializer, V2DeflateSerializer};
    use weir_report::model::Latency;

    use super::super::bounds::tests::Draws;
    use super::super::compare::ERROR_RATE;
    use super::*;

    /// Calls of a distribution with a long tail, in nanoseconds.
    fn calls(draws: &mut Draws, count: usize, factor: f64) -> Rc<Ordered> {
        let mut histogram = Histogram::<u64>::new(2).expect("a histogram");
        for _ in 0..count {
            let ns = 10_000.0 * factor / (1.0 - draws.next()).powf(0.7);
            histogram.record(ns as u64).expect("recorded");
        }
        let mut bytes = Vec::new();
        let mut serializer = V2DeflateSerializer::new();
        serializer
            .serialize(&histogram, &mut bytes)
            .expect("serialised");
        let latency = Latency {
            histogram: STANDARD.encode(bytes),
            ..Latency::default()
        };
        Rc::new(Ordered::of(&latency).expect("calls"))
    }

    /// Whether one of the percentiles of two distributions differs, of so many functions like these.
    fn differs(before: &Rc<Ordered>, after: &Rc<Ordered>, rate: f64) -> bool {
        let range = |calls: &Rc<Ordered>, part: f64| {
            let calls = Rc::clone(calls);
            Number::Percentile { ns: 0, part, calls }.range(rate)
        };
        let parts = [0.5, 0.9, 0.99];
        parts
            .iter()
            .any(|&part| range(before, part).is_apart_by(&range(after, part), 0))
    }

    #[test]
    fn equal_distributions_seldom_differ_and_others_do() {
        let mut draws = Draws(7);
        let (pages, functions) = (300, 10);
        let rate = ERROR_RATE / f64::from(4 * 3 * functions);
        let mut wrong = 0;
        for _ in 0..pages {
            let is_wrong = (0..functions).any(|_| {
                let before = calls(&mut draws, 1000, 1.0);
                differs(&before, &calls(&mut draws, 1000, 1.0), rate)
            });
            wrong += u32::from(is_wrong);
        }
        assert!(
            f64::from(wrong) <= ERROR_RATE * f64::from(pages),
            "{wrong} of {pages}"
        );
        for factor in [0.5, 0.8, 1.25, 2.0] {
            let before = calls(&mut draws, 20_000, 1.0);
            assert!(
                differs(&before, &calls(&mut draws, 20_000, factor), rate),
                "{factor}"
            );
        }
    }

    #[test]
    fn few_calls_tell_nothing() {
        let mut draws = Draws(3);
        let before = calls(&mut draws, 5, 1.0);
        assert!(!differs(&before, &calls(&mut draws, 5, 1000.0), 0.001));
    }

    #[test]
    fn estimates_differ_where_chance_does_not_explain_it() {
        let range = |sum: u64| {
            let distance = 512 << 10;
            Number::Sampled { sum, distance }.range(1e-4)
        };
        let mib = |count: u64| range(count << 20);
        assert!(!mib(0).is_apart_by(&mib(4), 0));
        assert!(mib(0).is_apart_by(&mib(20), 0));
        assert!(!mib(1000).is_apart_by(&mib(1100), 0));
        assert!(mib(1000).is_apart_by(&mib(1300), 0));
        let Range { low, value, high } = mib(100);
        assert!(low < value && value < high);
    }
}
