//! How long blocks lived, and when those were made that are live: in a few words.

use weir_report::model::Lifetimes;

use crate::units;

/// The lifetimes of some sites together.
#[derive(Debug, Default)]
pub struct Ages {
    lifetimes: Lifetimes,
}

impl Ages {
    /// Adds those of a site.
    pub fn add(&mut self, lifetimes: Option<&Lifetimes>) {
        if let Some(lifetimes) = lifetimes {
            self.lifetimes.add(lifetimes);
        }
    }

    /// How long the blocks lived that were freed, on average: `1.23 ms`. None where that is not known of any.
    pub fn lived(&self) -> Option<String> {
        /// Lifetimes are not known better.
        const SHORTEST_NS: u64 = 100_000;
        let freed = self.lifetimes.freed.iter().copied();
        let freed = freed.fold(0, u64::saturating_add);
        Some(match self.lifetimes.freed_total_ns.checked_div(freed)? {
            0..SHORTEST_NS => format!("<{}", units::time(SHORTEST_NS)),
            mean => units::time(mean),
        })
    }

    /// When most of the live bytes were made, after the start of their process: `1.5–60 s`. A tenth may be from before or from
    /// later. `longest_ms` is how long processes ran. None where that is not known of any.
    pub fn made(&self, longest_ms: u64) -> Option<String> {
        let spans = &self.lifetimes.live_since;
        let all = { spans.iter() }.map(|span| u128::from(span.bytes));
        let all: u128 = all.sum();
        let mut sum = 0;
        let mut from = None;
        for span in spans {
            sum += u128::from(span.bytes);
            if from.is_none() && sum * 20 > all {
                from = Some(span.from_ms);
            }
            if sum * 20 >= all * 19 {
                let to = span
                    .to_ms
                    .min(longest_ms.max(span.from_ms.saturating_add(1)));
                return Some(span_of_time(from?, to));
            }
        }
        None
    }
}

/// `1.5–60 s`, `10–40 min`.
fn span_of_time(from_ms: u64, to_ms: u64) -> String {
    const UNITS: [(u64, u64, &str); 3] = [
        (7_200_000, 3_600_000, "h"),
        (600_000, 60_000, "min"),
        (0, 1000, "s"),
    ];
    let unit = { UNITS.into_iter() }.find(|&(least, _, _)| to_ms >= least);
    let (_, unit, name) = unit.unwrap_or(UNITS[2]);
    // Tenths: from below and from above, so that the span has all that was made in it.
    let number = |tenths: u64| match tenths % 10 {
        0 => (tenths / 10).to_string(),
        tenth => format!("{}.{tenth}", tenths / 10),
    };
    let (from, to) = (
        from_ms.saturating_mul(10) / unit,
        to_ms.saturating_mul(10).div_ceil(unit),
    );
    format!("{}–{} {name}", number(from), number(to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_report::model::Since;

    fn since(from_ms: u64, to_ms: u64, bytes: u64) -> Since {
        Since {
            from_ms,
            to_ms,
            bytes,
        }
    }

    fn ages(live_since: Vec<Since>) -> Ages {
        Ages {
            lifetimes: Lifetimes {
                live_since,
                ..Lifetimes::default()
            },
        }
    }

    #[test]
    fn the_mean_is_shown_as_well_as_it_is_known() {
        let mut ages = Ages::default();
        assert_eq!(ages.lived(), None);
        ages.add(None);
        let mut lifetimes = Lifetimes {
            freed: [3, 0, 0, 1, 0, 0, 0, 0],
            freed_total_ns: 800_000_000,
            ..Lifetimes::default()
        };
        ages.add(Some(&lifetimes));
        assert_eq!(ages.lived().as_deref(), Some("200 ms"));
        lifetimes.freed_total_ns = 65_536;
        let short = Ages { lifetimes };
        assert_eq!(short.lived().as_deref(), Some("<100 µs"));
    }

    #[test]
    fn most_of_what_is_live_was_made_in_the_span() {
        let made = |spans, longest_ms| ages(spans).made(longest_ms);
        assert_eq!(made(vec![], 5000), None);
        let first = since(0, 1000, 960);
        assert_eq!(made(vec![first], 9000).as_deref(), Some("0–1 s"));
        // A short program, and a span that ends after it.
        assert_eq!(made(vec![first], 110).as_deref(), Some("0–0.2 s"));
        // A little later does not count.
        let late = since(8000, 12_000, 40);
        assert_eq!(made(vec![first, late], 9000).as_deref(), Some("0–1 s"));
        let late = since(8000, 12_000, 960);
        assert_eq!(made(vec![first, late], 9300).as_deref(), Some("0–9.3 s"));
        let hour = 3_600_000;
        let spans = vec![since(hour, 2 * hour, 1), since(2 * hour, 3 * hour, 1)];
        assert_eq!(made(spans, 24 * hour).as_deref(), Some("1–3 h"));
        let spans = vec![since(512_000, 768_000, 1)];
        assert_eq!(made(spans, 24 * hour).as_deref(), Some("8.5–12.8 min"));
        // What no report should have.
        let spans = vec![since(u64::MAX, 7, u64::MAX), since(1, u64::MAX, u64::MAX)];
        assert!(made(spans, 0).is_some());
    }
}
