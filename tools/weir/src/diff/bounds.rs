//! Between which values something lies that chance hides, with a probability that is at least as large as promised: Chernoff's
//! bounds, which hold for every number of samples. (H. Chernoff, "A measure of asymptotic efficiency for tests of a hypothesis
//! based on the sum of observations", Annals of Mathematical Statistics 23, 1952.)

/// The ranks among `samples` independent ones, the least is 1, between whose values a quantile lies: the lower one is above it,
/// and so is the higher one below it, with at most the probability `rate`. None on a side where there are too few samples.
pub fn ranks(samples: u64, part: f64, rate: f64) -> (Option<u64>, Option<u64>) {
    let n = samples as f64;
    let enough = (1.0 / rate).ln();
    // That so many or fewer, or else so many or more, lie below the quantile is no likelier than e to the power of minus this.
    let unlikely = |below: u64| n * divergence(below as f64 / n, part);
    let mean = (n * part).floor() as u64;
    // The value of a rank is above the quantile where fewer samples than the rank are not.
    let low = last(0, mean, |below| unlikely(below) >= enough).map(|below| below + 1);
    let high = last(0, samples - mean.min(samples), |above| {
        let below = samples - above;
        (below as f64) > n * part && unlikely(below) >= enough
    });
    (low, high.map(|above| samples - above))
}

/// How far a part is from another one, by Kullback and Leibler.
fn divergence(seen: f64, part: f64) -> f64 {
    let term = |seen: f64, part: f64| match seen > 0.0 {
        true => seen * (seen / part).ln(),
        false => 0.0,
    };
    term(seen, part) + term(1.0 - seen, 1.0 - part)
}

/// The greatest number from `from` to `to` that something holds of, if it holds of all smaller ones, too.
fn last(from: u64, to: u64, holds: impl Fn(u64) -> bool) -> Option<u64> {
    if !holds(from) {
        return None;
    }
    let (mut from, mut beyond) = (from, to + 1);
    while beyond - from > 1 {
        let middle = from + (beyond - from) / 2;
        match holds(middle) {
            true => from = middle,
            false => beyond = middle,
        }
    }
    Some(from)
}

/// Between which means a number of events lies that was counted once, if each event is independent of the others: each side is wrong
/// with at most the probability `rate`.
pub fn means(counted: f64, rate: f64) -> (f64, f64) {
    let enough = (1.0 / rate).ln();
    let unlikely = |mean: f64| match counted > 0.0 {
        true => mean - counted + counted * (counted / mean).ln(),
        false => mean,
    };
    // Halving is enough for 60 digits of two.
    let between = |mut holds: f64, mut fails: f64| {
        for _ in 0..60 {
            let middle = f64::midpoint(holds, fails);
            match unlikely(middle) >= enough {
                true => holds = middle,
                false => fails = middle,
            }
        }
        holds
    };
    let low = match counted > 0.0 {
        true => between(0.0, counted),
        false => 0.0,
    };
    let most = counted + enough + (2.0 * enough * counted).sqrt() + enough;
    (low, between(most, counted))
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A generator of numbers that repeat from test to test (xorshift64*, G. Marsaglia and S. Vigna).
    pub struct Draws(pub u64);

    impl Draws {
        /// From 0 to below 1.
        pub fn next(&mut self) -> f64 {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1_u64 << 53) as f64
        }
    }

    #[test]
    fn a_quantile_is_between_the_ranks_as_often_as_promised() {
        let mut draws = Draws(1);
        let (rate, rounds) = (0.05, 4000);
        for (samples, part) in [(100, 0.5), (1000, 0.9), (1000, 0.99)] {
            let (low, high) = ranks(samples, part, rate);
            let (low, high) = (low.expect("enough samples"), high.expect("enough samples"));
            let (mut above, mut below) = (0, 0);
            for _ in 0..rounds {
                let not_above = (0..samples).filter(|_| draws.next() <= part).count() as u64;
                // The value of a rank is above the quantile where fewer are not above it.
                above += u32::from(not_above < low);
                below += u32::from(not_above >= high);
            }
            let most = (f64::from(rounds) * rate) as u32;
            assert!(above <= most, "{samples}, {part}: {above}");
            assert!(below <= most, "{samples}, {part}: {below}");
            // And they are no further from it than they need be.
            assert!(
                above + below > most / 10,
                "{samples}, {part}: {above}, {below}"
            );
        }
    }

    #[test]
    fn ranks_are_those_of_the_exact_bound() {
        // 2^-10 is less than a thousandth, 2^-9 is more: the median is not below the shortest of ten.
        assert_eq!(ranks(10, 0.5, 0.001), (Some(1), Some(10)));
        assert_eq!(ranks(9, 0.5, 0.001), (None, None));
        assert_eq!(ranks(0, 0.5, 0.001), (None, None));
        assert_eq!(ranks(1, 0.99, 0.001), (None, None));
        let (low, high) = ranks(1_000_000_000, 0.5, 1e-6);
        assert!((499_900_000..500_000_000).contains(&low.unwrap()));
        assert!((500_000_001..500_100_000).contains(&high.unwrap()));
    }

    #[test]
    fn a_mean_lies_around_what_was_counted() {
        let (low, high) = means(0.0, 0.001);
        assert_eq!(low, 0.0);
        assert!((high - 1000_f64.ln()).abs() < 1e-6, "{high}");
        for counted in [1.0, 4.0, 100.0, 1e6] {
            let (low, high) = means(counted, 0.001);
            assert!(low < counted && counted < high, "{low} {counted} {high}");
            // Events are as far from their mean as its root, times a number that the rate gives.
            let (down, up) = (
                (counted - low) / low.sqrt().max(0.1),
                (high - counted) / high.sqrt(),
            );
            assert!(
                (2.0..30.0).contains(&down) && (2.0..5.0).contains(&up),
                "{counted}: {low} {high}"
            );
        }
    }
}
