//! Medians and ranges of repeated measurements.

use serde::Serialize;

/// The median and the range of repeated measurements of one thing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// The middle value; the mean of the two in the middle where their number is even.
    pub median: f64,
    /// The smallest value.
    pub min: f64,
    /// The largest value.
    pub max: f64,
}

impl Spread {
    /// The spread of `values`.
    ///
    /// # Panics
    ///
    /// If there is no value: nothing was measured, so there is nothing to report.
    pub fn of(values: &[f64]) -> Self {
        assert!(!values.is_empty(), "a spread of no values");
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 {
            sorted[middle]
        } else {
            (sorted[middle - 1] + sorted[middle]) / 2.0
        };
        Self {
            median,
            min: sorted[0],
            max: sorted[sorted.len() - 1],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_number_of_values() {
        let spread = Spread::of(&[30.0, 10.0, 20.0]);
        assert_eq!(
            spread,
            Spread {
                median: 20.0,
                min: 10.0,
                max: 30.0
            }
        );
    }

    #[test]
    fn even_number_of_values_takes_the_mean_of_the_middle() {
        assert_eq!(Spread::of(&[4.0, 1.0, 3.0, 100.0]).median, 3.5);
    }

    #[test]
    fn one_value_is_its_own_range() {
        assert_eq!(
            Spread::of(&[7.0]),
            Spread {
                median: 7.0,
                min: 7.0,
                max: 7.0
            }
        );
    }

    #[test]
    fn negative_differences_sort_by_value() {
        let spread = Spread::of(&[0.5, -2.0, -1.0]);
        assert_eq!(
            spread,
            Spread {
                median: -1.0,
                min: -2.0,
                max: 0.5
            }
        );
    }

    #[test]
    #[should_panic(expected = "no values")]
    fn no_value_is_a_mistake() {
        Spread::of(&[]);
    }
}
