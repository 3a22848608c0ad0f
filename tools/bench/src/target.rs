//! The targets of Weir, and whether a measurement reached them. They are printed, never asserted: a
//! figure from a shared machine must not fail a build.

use std::fmt;

use serde::Serialize;

/// The side of the bound on which a measurement has to be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// Reached by this value and by smaller ones.
    AtMost(f64),
    /// Reached by this value and by larger ones.
    AtLeast(f64),
}

/// A bound, the words for it, and the measured value that is held against it.
#[derive(Clone, Debug, Serialize)]
pub struct Target {
    bound: Bound,
    /// How the table names it, such as `≤ 1.10 × limit`.
    text: String,
    value: f64,
}

impl Target {
    /// Holds `value` against `bound`, which the table shows as `text`.
    pub fn new(bound: Bound, text: impl Into<String>, value: f64) -> Self {
        Self {
            bound,
            text: text.into(),
            value,
        }
    }

    /// The words for the bound.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the value reached the bound, and by how far it did not.
    pub fn verdict(&self) -> Verdict {
        match self.bound {
            Bound::AtMost(bound) if self.value <= bound => Verdict::Reached,
            Bound::AtMost(0.0) => Verdict::MissedBy(self.value),
            Bound::AtMost(bound) => Verdict::MissedByPercent(100.0 * (self.value / bound - 1.0)),
            Bound::AtLeast(bound) if self.value >= bound => Verdict::Reached,
            Bound::AtLeast(bound) => Verdict::MissedByPercent(100.0 * (1.0 - self.value / bound)),
        }
    }
}

/// What became of a target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    /// The value is on the right side of the bound.
    Reached,
    /// It is not, by this much in the value's own unit, the bound being 0.
    MissedBy(f64),
    /// It is not, by this share of the bound.
    MissedByPercent(f64),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reached => f.write_str("reached"),
            Self::MissedBy(amount) => write!(f, "missed by {amount}"),
            Self::MissedByPercent(percent) if *percent < 1.0 => f.write_str("missed by < 1 %"),
            Self::MissedByPercent(percent) => write!(f, "missed by {percent:.0} %"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(bound: Bound, value: f64) -> String {
        Target::new(bound, "", value).verdict().to_string()
    }

    #[test]
    fn at_most_is_reached_by_the_bound_itself() {
        assert_eq!(verdict(Bound::AtMost(1.1), 1.1), "reached");
        assert_eq!(verdict(Bound::AtMost(1.1), 0.9), "reached");
    }

    #[test]
    fn at_most_is_missed_by_the_share_above_it() {
        assert_eq!(verdict(Bound::AtMost(2.0), 2.5), "missed by 25 %");
        assert_eq!(verdict(Bound::AtMost(1.1), 1.101), "missed by < 1 %");
    }

    #[test]
    fn at_least_is_missed_by_the_share_below_it() {
        assert_eq!(verdict(Bound::AtLeast(20e6), 20e6), "reached");
        assert_eq!(verdict(Bound::AtLeast(20e6), 15e6), "missed by 25 %");
    }

    #[test]
    fn nothing_at_all_is_missed_by_a_number() {
        assert_eq!(verdict(Bound::AtMost(0.0), 0.0), "reached");
        assert_eq!(verdict(Bound::AtMost(0.0), 35.0), "missed by 35");
    }

    #[test]
    fn what_is_not_a_number_reaches_nothing() {
        assert_ne!(verdict(Bound::AtMost(1.1), f64::NAN), "reached");
        assert_ne!(verdict(Bound::AtLeast(1.1), f64::NAN), "reached");
    }
}
