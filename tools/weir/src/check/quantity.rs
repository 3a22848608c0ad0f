//! Numbers with a unit, as a budget has them and as people read them.

use crate::units::Unit;

/// Suffixes, what they stand for, and how many of it.
const SUFFIXES: [(&str, Unit, f64); 16] = [
    ("B", Unit::Bytes, 1.0),
    ("kB", Unit::Bytes, 1e3),
    ("KB", Unit::Bytes, 1e3),
    ("MB", Unit::Bytes, 1e6),
    ("GB", Unit::Bytes, 1e9),
    ("TB", Unit::Bytes, 1e12),
    ("KiB", Unit::Bytes, 1024.0),
    ("MiB", Unit::Bytes, 1_048_576.0),
    ("GiB", Unit::Bytes, 1_073_741_824.0),
    ("TiB", Unit::Bytes, 1_099_511_627_776.0),
    ("ns", Unit::Time, 1.0),
    ("us", Unit::Time, 1e3),
    ("µs", Unit::Time, 1e3),
    ("ms", Unit::Time, 1e6),
    ("s", Unit::Time, 1e9),
    ("min", Unit::Time, 60e9),
];

/// What a metric of a unit needs, for a message.
fn needed(unit: Unit) -> &'static str {
    match unit {
        Unit::Count => "a number without a unit, such as 120000",
        Unit::Bytes => "a number of bytes, such as 65536 or \"64KiB\"",
        Unit::Time => "a time, such as \"5ms\"",
    }
}

/// A number that a budget has: `120000`, `"64MiB"`, `"5ms"`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantity {
    number: i128,
    /// None where it was written without one.
    unit: Option<Unit>,
    /// What it was written with, and how many that stands for.
    suffix: Option<(&'static str, f64)>,
    /// Whether it was written in quotes.
    is_text: bool,
}

impl Quantity {
    /// Reads a value of the budget.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(value: &toml::Value) -> Result<Quantity, String> {
        let refused = |text: &str| {
            format!(
                "{text} is no number with a unit (B, kB, KiB, MiB, ns, us, ms, s, …) or without"
            )
        };
        match value {
            toml::Value::Integer(number) if *number >= 0 => Ok(Quantity {
                number: i128::from(*number),
                unit: None,
                suffix: None,
                is_text: false,
            }),
            toml::Value::String(text) => Quantity::parse(text).ok_or_else(|| refused(text)),
            toml::Value::Integer(number) => Err(refused(&number.to_string())),
            toml::Value::Float(number) => Err(format!(
                "{number} is no whole number; in quotes and with a unit it may have decimals"
            )),
            other => Err(format!(
                "it has the type {}, which is no number",
                other.type_str()
            )),
        }
    }

    fn parse(text: &str) -> Option<Quantity> {
        let text = text.trim();
        let end = text
            .find(|character: char| !matches!(character, '0'..='9' | '.' | '_'))
            .unwrap_or(text.len());
        let (digits, suffix) = text.split_at(end);
        let digits = digits.replace('_', "");
        if let Ok(number) = digits.parse::<u64>()
            && suffix.is_empty()
        {
            let number = i128::from(number);
            return Some(Quantity {
                number,
                unit: None,
                suffix: None,
                is_text: true,
            });
        }
        let number: f64 = digits.parse().ok()?;
        let suffix = suffix.trim_start();
        let (name, unit, factor) = SUFFIXES.iter().find(|(name, ..)| *name == suffix)?;
        let number = (number * factor).round();
        // Beyond this a number of bytes or nanoseconds means nothing.
        (number <= 1e18).then_some(Quantity {
            number: number as i128,
            unit: Some(*unit),
            suffix: Some((*name, *factor)),
            is_text: true,
        })
    }

    /// This number in place of this limit, as it was written: at least the number, and with a unit to three digits. None
    /// where it is not lower, or where the limit is a time.
    pub fn lowered_to(self, number: i128) -> Option<toml_edit::Value> {
        if number < 0 || number >= self.number || self.unit == Some(Unit::Time) {
            return None;
        }
        let Some((suffix, factor)) = self.suffix.filter(|&(_, factor)| factor > 1.0) else {
            let suffix = self.suffix.map_or("", |(suffix, _)| suffix);
            return Some(match self.is_text {
                true => format!("{number}{suffix}").into(),
                false => i64::try_from(number).ok()?.into(),
            });
        };
        let whole = number as f64 / factor;
        let places: usize = match whole {
            ..10.0 => 2,
            ..100.0 => 1,
            _ => 0,
        };
        let step = 10_f64.powi(places as i32);
        // From above, and once more where rounding has made it less than the number.
        let mut steps = (whole * step).ceil();
        if (steps / step * factor).round() < number as f64 {
            steps += 1.0;
        }
        let most = steps / step;
        ((most * factor).round() < self.number as f64).then(|| format!("{most}{suffix}").into())
    }

    /// The number, of this unit.
    ///
    /// # Errors
    /// It has another unit, or a time has none.
    pub fn of(self, unit: Unit) -> Result<i128, String> {
        let fits = match self.unit {
            Some(own) => own == unit,
            None => unit != Unit::Time,
        };
        match fits {
            true => Ok(self.number),
            false => Err(format!("the metric needs {}", needed(unit))),
        }
    }
}

/// Reads a share such as `2%`, as a part of one.
pub fn percent(text: &str) -> Option<f64> {
    let number: f64 = text.trim().strip_suffix('%')?.trim().parse().ok()?;
    (0.0..=1e6).contains(&number).then_some(number / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_units_that_people_write() {
        let read = |text: &str, unit| Quantity::parse(text).map(|quantity| quantity.of(unit));
        assert_eq!(read("64MiB", Unit::Bytes), Some(Ok(64 << 20)));
        assert_eq!(read("1.5 kB", Unit::Bytes), Some(Ok(1500)));
        assert_eq!(read("4096", Unit::Bytes), Some(Ok(4096)));
        assert_eq!(read("120_000", Unit::Count), Some(Ok(120_000)));
        assert_eq!(read("5ms", Unit::Time), Some(Ok(5_000_000)));
        assert_eq!(read("2.5µs", Unit::Time), Some(Ok(2500)));
        for (text, unit) in [
            ("5", Unit::Time),
            ("5ms", Unit::Bytes),
            ("1KiB", Unit::Count),
        ] {
            assert!(read(text, unit).is_some_and(|read| read.is_err()), "{text}");
        }
        for text in [
            "",
            "ms",
            "5 parsecs",
            "-1",
            "1e9",
            "nan",
            "99999999TiB",
            "1..5ms",
        ] {
            assert_eq!(Quantity::parse(text), None, "{text}");
        }
        let both = |one, other| Unit::Bytes.both_shown(one, other);
        assert_eq!(both(1, 2048), ("1 B".to_owned(), "2.00 KiB".to_owned()));
        let close = ("67,108,865 B".to_owned(), "67,108,864 B".to_owned());
        assert_eq!(both((64 << 20) + 1, 64 << 20), close);
        assert_eq!(percent("2%"), Some(0.02));
        assert_eq!(percent("0 %"), Some(0.0));
        for text in ["2", "-1%", "%", "nan%", "inf%"] {
            assert_eq!(percent(text), None, "{text}");
        }
    }
}
