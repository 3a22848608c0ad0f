//! The time of all calls, estimated from the timed ones, and the error of that.

use crate::model::{Estimate, Latency};

/// How many timed calls an estimate needs: the mean of fewer may be determined by one slow call.
pub const FEWEST: u64 = 30;

/// In 95 of 100 cases, the true value is within so many standard errors.
const STANDARD_ERRORS: f64 = 1.96;

/// For a function; none if all of its calls were timed, or too few of them.
pub fn of(calls: u64, latency: &Latency) -> Option<Estimate> {
    total(
        calls,
        latency.timed,
        latency.total_ns,
        deviation_ns(latency),
    )
}

/// The standard deviation of a function's calls: that of the histogram, where there is one; else as much as it can be at most,
/// of durations with this mean, none of which is longer than the longest (Bhatia and Davis 2000).
pub fn deviation_ns(latency: &Latency) -> f64 {
    match latency.deviation_ns {
        Some(deviation) => deviation as f64,
        None => {
            let mean = latency.mean_ns as f64;
            (mean * (latency.max_ns as f64 - mean).max(0.0)).sqrt()
        }
    }
}

/// What `calls` took, of which `timed`, picked at random, took `total_ns`; none as above.
pub fn total(calls: u64, timed: u64, total_ns: u64, deviation_ns: f64) -> Option<Estimate> {
    if timed >= calls || timed < FEWEST {
        return None;
    }
    let all = u128::from(total_ns) * u128::from(calls) / u128::from(timed);
    let (calls, timed) = (calls as f64, timed as f64);
    // Those that were timed are known: the error is of the others.
    let unknown = (1.0 - timed / calls).sqrt();
    let error = STANDARD_ERRORS * deviation_ns * calls / timed.sqrt() * unknown;
    Some(Estimate {
        total_ns: u64::try_from(all).unwrap_or(u64::MAX),
        // Saturates, and is 0 for what is no number.
        error_ns: error.ceil() as u64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_made_of_few_calls_or_of_all() {
        assert_eq!(total(3000, 29, 120, 1.0), None);
        assert_eq!(total(5, 5, 40, 1.0), None);
        assert_eq!(total(3000, 3001, 40, 1.0), None, "a forged report");
    }

    #[test]
    fn the_error_is_that_of_the_mean() {
        let estimate = total(10_000, 100, 5_000, 20.0).expect("enough");
        assert_eq!(estimate.total_ns, 500_000);
        // 1.96 · 20 / √100 · 10,000 · √0.99
        assert_eq!(estimate.error_ns, 39_004);
        let most = total(u64::MAX, 30, u64::MAX, f64::INFINITY).expect("enough");
        assert_eq!((most.total_ns, most.error_ns), (u64::MAX, u64::MAX));
    }

    /// The true value is within the error about as often as stated, also with a long tail.
    #[test]
    fn the_truth_is_within_the_error() {
        let mut random = 7_u64;
        let mut next = move || {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            random >> 33
        };
        let mut within = 0;
        for _ in 0..200 {
            let all: Vec<u64> = (0..20_000)
                .map(|_| match next() % 50 {
                    0 => 2_000 + next() % 500,
                    _ => 20 + next() % 30,
                })
                .collect();
            let timed: Vec<f64> = all
                .iter()
                .filter(|_| next() % 16 == 0)
                .map(|&took| took as f64)
                .collect();
            let sum: f64 = timed.iter().sum();
            let mean = sum / timed.len() as f64;
            let squares: f64 = timed.iter().map(|took| (took - mean).powi(2)).sum();
            let deviation = (squares / timed.len() as f64).sqrt();
            let estimate =
                total(20_000, timed.len() as u64, sum as u64, deviation).expect("enough");
            let truth: u64 = all.iter().sum();
            within += u32::from(estimate.total_ns.abs_diff(truth) <= estimate.error_ns);
        }
        assert!((180..=200).contains(&within), "{within} of 200");
    }

    #[test]
    fn without_a_histogram_the_deviation_is_the_most_that_it_can_be() {
        let latency = |mean_ns, max_ns, deviation_ns| Latency {
            mean_ns,
            max_ns,
            deviation_ns,
            ..Latency::default()
        };
        assert_eq!(deviation_ns(&latency(50, 100, Some(7))), 7.0);
        // Half of the calls take no time, and half the longest time.
        assert_eq!(deviation_ns(&latency(50, 100, None)), 50.0);
        assert_eq!(
            deviation_ns(&latency(100, 50, None)),
            0.0,
            "a forged report"
        );
    }
}
