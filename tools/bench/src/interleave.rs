//! Rounds of neighbours: A B A B …, so that each B has an A measured right before it.

use anyhow::Result;

use crate::stats::Spread;

/// One contender: runs it once, and gives what was measured.
pub type Run<'a> = Box<dyn Fn() -> Result<f64> + 'a>;

/// What the contenders measured, round by round.
#[derive(Debug)]
pub struct Rounds {
    /// One entry a round, each with one value per contender.
    rounds: Vec<Vec<f64>>,
}

/// Runs each of `runs` once per round, one after the other, for `rounds` rounds.
///
/// A round before the first warms caches and page tables; its values are not kept.
pub fn interleave(rounds: usize, runs: &[Run]) -> Result<Rounds> {
    let round = || runs.iter().map(|run| run()).collect::<Result<Vec<f64>>>();
    round()?;
    let rounds = (0..rounds.max(1)).map(|_| round()).collect::<Result<_>>()?;
    Ok(Rounds { rounds })
}

impl Rounds {
    /// What contender number `run` measured in each round.
    pub fn values(&self, run: usize) -> Vec<f64> {
        self.per_round(|round| round[run])
    }

    /// What one contender measured, in ratio to another of the same round.
    pub fn ratio(&self, run: usize, base: usize) -> Spread {
        Spread::of(&self.per_round(|round| round[run] / round[base]))
    }

    /// What `of` makes of each round's values, which stand in the order of the contenders.
    pub fn per_round(&self, of: impl Fn(&[f64]) -> f64) -> Vec<f64> {
        self.rounds.iter().map(|round| of(round)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;

    #[test]
    fn contenders_take_turns_and_the_first_round_is_not_kept() {
        let order = RefCell::new(String::new());
        let clock = Cell::new(0.0);
        let contender = |name: char| -> Run {
            let (order, clock) = (&order, &clock);
            Box::new(move || {
                order.borrow_mut().push(name);
                clock.set(clock.get() + 1.0);
                Ok(clock.get())
            })
        };
        let rounds = interleave(2, &[contender('a'), contender('b')]).unwrap();
        assert_eq!(*order.borrow(), "ababab");
        assert_eq!(rounds.values(0), [3.0, 5.0]);
        assert_eq!(rounds.values(1), [4.0, 6.0]);
    }

    #[test]
    fn the_ratio_is_the_median_of_ratios_and_not_the_ratio_of_medians() {
        let rounds = Rounds {
            rounds: vec![vec![10.0, 20.0], vec![100.0, 110.0], vec![10.0, 30.0]],
        };
        assert_eq!(
            rounds.ratio(1, 0),
            Spread {
                median: 2.0,
                min: 1.1,
                max: 3.0
            }
        );
    }

    #[test]
    fn a_failed_run_ends_the_measurement() {
        let runs: [Run; 1] = [Box::new(|| anyhow::bail!("the load failed"))];
        assert_eq!(
            interleave(3, &runs).unwrap_err().to_string(),
            "the load failed"
        );
    }
}
