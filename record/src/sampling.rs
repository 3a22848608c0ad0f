//! Which of a thread's heap blocks are sampled, and what a sampled block stands for.
//!
//! The samples are points in the stream of allocated bytes, at random distances with an exponential distribution. A block that
//! has at least one point is sampled. So a block of `n` bytes is sampled with the probability p = 1 - e^(-n / mean), whatever
//! came before it, and stands for 1 / p blocks: sums over sampled blocks are unbiased (Horvitz and Thompson, 1952; the
//! distribution is that of jemalloc's and tcmalloc's profilers).

use crate::counter::Counter;

/// Numbers of blocks and bytes that stand for others are kept as multiples of 1 / `SCALE`: to count whole blocks would round
/// those of about the mean size by much.
pub const SCALE: u64 = 1024;

/// The bytes to the next sample.
#[derive(Debug)]
#[repr(C)]
pub struct Sampling {
    /// Bytes to the next sample, when it was last asked ([`Counters::has_passed_sample`](crate::slot::Counters::has_passed_sample)).
    pub(crate) to_next: Counter,
    random: Counter,
    /// Bytes from sample to sample, on average; 0 is none.
    mean: Counter,
}

impl Sampling {
    /// Sets it up for a thread: a sample in `mean` bytes on average, none if that is 0.
    pub(crate) fn start(&self, mean: u64, seed: u64) {
        self.mean.set(mean);
        self.random.set(seed);
        self.restart();
    }

    /// Draws the next sample. Returns the mean distance in bytes; none if nothing is sampled.
    pub fn restart(&self) -> Option<u64> {
        let mean = self.mean.get();
        if mean == 0 {
            self.to_next.set(u64::MAX);
            return None;
        }
        // Knuth's MMIX multiplier; the upper bits are random enough.
        let random = self
            .random
            .get()
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.random.set(random);
        // The cast cuts off the fraction: a block with more bytes than that has the point.
        self.to_next.set((mean as f64 * exponential(random)) as u64);
        Some(mean)
    }
}

/// A number with the exponential distribution of mean 1, from a number with the uniform one.
fn exponential(random: u64) -> f64 {
    // Above 0 and up to 1, in steps that a double can tell apart.
    let uniform = ((random >> 11) + 1) as f64 / (1_u64 << 53) as f64;
    -natural_logarithm(uniform)
}

/// That of a normal number above 0. Written here, because a math library's would be an imported function.
fn natural_logarithm(of: f64) -> f64 {
    const FRACTION_BITS: u32 = 52;
    const BIAS: i64 = 1023;
    let bits = of.to_bits();
    let mut exponent = ((bits >> FRACTION_BITS) & 0x7ff).cast_signed() - BIAS;
    let one = 1_f64.to_bits();
    // From 1 to 2; then from the inverse of the square root of 2 to that root.
    let mut rest = f64::from_bits(bits & ((1 << FRACTION_BITS) - 1) | one);
    if rest > std::f64::consts::SQRT_2 {
        rest /= 2.0;
        exponent += 1;
    }
    // ln x = 2 artanh((x - 1) / (x + 1)), by its series.
    let part = (rest - 1.0) / (rest + 1.0);
    let square = part * part;
    let series = (0..10).rev().fold(0.0, |sum, term| {
        sum * square + 1.0 / f64::from(2 * term + 1)
    });
    exponent as f64 * std::f64::consts::LN_2 + 2.0 * part * series
}

/// 1 - e^(-x), for x from 0 on.
fn one_minus_exponential(x: f64) -> f64 {
    // e^(-40) is less than a double can tell from 0 beside 1.
    let x = x.min(40.0);
    let (mut part, mut halvings) = (x, 0);
    while part > 0.5 {
        part /= 2.0;
        halvings += 1;
    }
    // part - part^2 / 2! + part^3 / 3! - ..., by Horner's rule.
    let series = (1..=12)
        .rev()
        .fold(1.0, |sum, term| 1.0 - part / f64::from(term + 1) * sum);
    let once = part * series;
    // 1 - e^(-2y) = (1 - e^(-y)) (1 + e^(-y))
    (0..halvings).fold(once, |once, _| once * (2.0 - once))
}

/// What a sampled block stands for, in multiples of 1 / [`SCALE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weight(u64);

impl Weight {
    /// Of a block of so many bytes, where a sample is taken once in `mean` bytes. Both are above 0.
    pub fn of(bytes: u64, mean: u64) -> Weight {
        let inverse = 1.0 / one_minus_exponential(bytes as f64 / mean as f64);
        Weight((inverse * SCALE as f64 + 0.5) as u64)
    }

    /// The number of blocks, or of anything else that each of them has `each` of.
    pub fn times(self, each: u64) -> u64 {
        self.0.wrapping_mul(each)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::slot::{Due, HeapTotals, Slot};

    fn zeroed() -> Box<Slot> {
        // SAFETY: it is made of atomics, for which zeroes are valid.
        unsafe { Box::<Slot>::new_zeroed().assume_init() }
    }

    #[test]
    fn functions_are_those_of_the_math_library() {
        for power in -1000..=1000 {
            let of = 1.031_f64.powi(power);
            let error = (natural_logarithm(of) - of.ln()).abs();
            assert!(error <= 1e-14 * of.ln().abs().max(1.0), "ln {of}: {error}");
            let error = (one_minus_exponential(of) / -(-of).exp_m1() - 1.0).abs();
            assert!(error < 1e-13, "1 - exp(-{of}): {error}");
        }
        assert_eq!(exponential(u64::MAX), 0.0);
        assert!((36.0..37.0).contains(&exponential(0)));
    }

    /// Counts the bytes of a block that was made. Whether it is a sample.
    fn is_sample(slot: &Slot, bytes: u64) -> bool {
        if !slot.grow(bytes) {
            return false;
        }
        let due = slot.counters.settle_making();
        if due == Due::Nothing {
            return false;
        }
        if due == Due::Sample {
            assert!(slot.counters.has_passed_sample());
            slot.counters.sampling.restart();
        }
        // SAFETY: as in `zeroed`.
        let heap = unsafe { Box::<HeapTotals>::new_zeroed().assume_init() };
        slot.counters.publish(&heap);
        due == Due::Sample
    }

    #[test]
    fn nothing_is_sampled_without_a_mean() {
        let slot = zeroed();
        slot.counters.start_sampling(0, 7);
        assert!((0..1000).all(|_| !is_sample(&slot, 1 << 50)));
        assert_eq!(slot.counters.sampling.restart(), None);
    }

    #[test]
    fn a_large_block_is_always_sampled_and_stands_for_itself() {
        let slot = zeroed();
        slot.counters.start_sampling(1, 7);
        assert!((0..1000).all(|_| is_sample(&slot, 64)));
        assert_eq!(Weight::of(64, 1).times(64), 64 * SCALE);
    }

    /// Blocks of several sizes, in a mix: what is estimated of each size is what was there, within five standard errors. The seeds
    /// are the same in each run.
    #[test]
    fn sums_over_samples_are_unbiased() {
        const MEAN: u64 = 4096;
        const SIZES: [u64; 6] = [24, 100, 1000, 4096, 10_000, 100_000];
        const ROUNDS: u64 = 2000;
        const SEEDS: u64 = 50;
        let mut blocks = [0_u64; SIZES.len()];
        let slot = zeroed();
        for seed in 0..SEEDS {
            slot.counters.start_sampling(MEAN, seed);
            for _ in 0..ROUNDS {
                for (sum, size) in blocks.iter_mut().zip(SIZES) {
                    if is_sample(&slot, size) {
                        *sum += Weight::of(size, MEAN).times(1);
                    }
                }
            }
        }
        for (sum, size) in blocks.into_iter().zip(SIZES) {
            let estimate = sum as f64 / SCALE as f64;
            let truth = (ROUNDS * SEEDS) as f64;
            let probability = -(-(size as f64) / MEAN as f64).exp_m1();
            let standard_error = (truth * (1.0 - probability) / probability).sqrt();
            // What the scale rounds off.
            let rounding = truth / SCALE as f64 / 2.0;
            let difference = (estimate - truth).abs();
            assert!(
                difference <= 5.0 * standard_error + rounding,
                "{size} bytes: {estimate} for {truth}, standard error {standard_error}"
            );
            // A test that could not fail would be none.
            assert!(
                standard_error < truth / 20.0,
                "{size} bytes: {standard_error}"
            );
        }
    }
}
