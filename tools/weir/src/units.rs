//! Numbers for people: three significant digits and a unit.

use weir_report::calendar::Utc;

/// Stands where there is no number.
pub const NONE: &str = "–";

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Calls, blocks, files.
    Count,
    /// Bytes.
    Bytes,
    /// Nanoseconds.
    Time,
}

impl Unit {
    /// A number of it, for people.
    pub fn shown(self, number: i128) -> String {
        let size = u64::try_from(number.unsigned_abs()).unwrap_or(u64::MAX);
        let size = match self {
            Unit::Count => count(size),
            Unit::Bytes => bytes(size),
            Unit::Time => time(size),
        };
        if number < 0 { format!("-{size}") } else { size }
    }

    /// Two numbers, for people; exactly, where they would look alike.
    pub fn both_shown(self, one: i128, other: i128) -> (String, String) {
        let (short, other_short) = (self.shown(one), self.shown(other));
        if one == other || short != other_short {
            return (short, other_short);
        }
        let exactly = |number| match self {
            Unit::Count => Unit::Count.shown(number),
            Unit::Bytes => format!("{} B", Unit::Count.shown(number)),
            Unit::Time => format!("{} ns", Unit::Count.shown(number)),
        };
        (exactly(one), exactly(other))
    }
}

/// A whole number, its thousands separated.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A whole number that may be negative.
pub fn signed_count(number: i64) -> String {
    format!("{}{}", sign(number), count(number.unsigned_abs()))
}

/// A size: `512 B`, `1.50 KiB`, `12.0 MiB`.
pub fn bytes(bytes: u64) -> String {
    scaled(
        bytes,
        1024.0,
        &["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"],
    )
}

/// A size that may be negative.
pub fn signed_bytes(number: i64) -> String {
    format!("{}{}", sign(number), bytes(number.unsigned_abs()))
}

fn sign(number: i64) -> &'static str {
    if number < 0 { "-" } else { "" }
}

/// A time: `12 ns`, `1.23 µs`, `45.6 ms`, `7.89 s`; from ten minutes on, `12 min 34 s`.
pub fn time(ns: u64) -> String {
    let seconds = ns / 1_000_000_000;
    match seconds {
        0..600 => scaled(ns, 1000.0, &["ns", "µs", "ms", "s"]),
        600..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", count(seconds / 3600), seconds / 60 % 60),
    }
}

/// A part of a whole, in percent.
pub fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return NONE.to_owned();
    }
    let percent = part as f64 * 100.0 / whole as f64;
    match percent {
        0.0 => "0 %".to_owned(),
        ..0.1 => "<0.1 %".to_owned(),
        ..99.95 => format!("{percent:.1} %"),
        _ if part < whole => ">99.9 %".to_owned(),
        _ => format!("{percent:.0} %"),
    }
}

/// A moment, in nanoseconds since the Unix epoch: `2026-01-31 12:34:56 UTC`.
pub fn moment(unix_ns: u64) -> String {
    let utc = Utc::of_unix_ns(unix_ns);
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02} UTC",
        utc.year, utc.month, utc.day, utc.hour, utc.minute, utc.second
    )
}

/// The number with three significant digits in the largest unit that leaves it at least 1.
fn scaled(number: u64, step: f64, units: &[&str]) -> String {
    if (number as f64) < step {
        return format!("{number} {}", units[0]);
    }
    let mut value = number as f64;
    let mut unit = 0;
    // Half a step early where rounding would give 1000 of a unit, or 1024.
    while unit + 1 < units.len() && value >= step - 0.5 {
        value /= step;
        unit += 1;
    }
    let decimals = match value {
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$} {}", units[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_three_digits_and_a_unit() {
        let cases = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.00 KiB"),
            (1536, "1.50 KiB"),
            (10_239, "10.0 KiB"),
            (102_400, "100 KiB"),
            (1_048_575, "1.00 MiB"),
            (123 << 20, "123 MiB"),
            (u64::MAX, "16.0 EiB"),
        ];
        for (number, text) in cases {
            assert_eq!(bytes(number), text);
        }
        assert_eq!(signed_bytes(i64::MIN), "-8.00 EiB");
        assert_eq!(signed_bytes(-5), "-5 B");
    }

    #[test]
    fn times_go_from_nanoseconds_to_hours() {
        let cases = [
            (0, "0 ns"),
            (999, "999 ns"),
            (1000, "1.00 µs"),
            (9_994, "9.99 µs"),
            (9_996, "10.0 µs"),
            (999_499, "999 µs"),
            (999_500, "1.00 ms"),
            (12_345_678, "12.3 ms"),
            (599_000_000_000, "599 s"),
            (600_000_000_000, "10 min 00 s"),
            (3_723_000_000_000, "1 h 02 min"),
            (u64::MAX, "5,124,095 h 34 min"),
        ];
        for (ns, text) in cases {
            assert_eq!(time(ns), text);
        }
    }

    #[test]
    fn counts_have_their_thousands_separated() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1000), "1,000");
        assert_eq!(count(u64::MAX), "18,446,744,073,709,551,615");
        assert_eq!(signed_count(i64::MIN), "-9,223,372,036,854,775,808");
    }

    #[test]
    fn shares_are_never_rounded_to_none_or_all() {
        assert_eq!(share(0, 10), "0 %");
        assert_eq!(share(1, 1_000_000), "<0.1 %");
        assert_eq!(share(1, 3), "33.3 %");
        assert_eq!(share(999_999, 1_000_000), ">99.9 %");
        assert_eq!(share(10, 10), "100 %");
        assert_eq!(share(1, 0), NONE);
    }

    #[test]
    fn moments_are_dates_of_the_calendar() {
        assert_eq!(moment(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(moment(951_825_599_000_000_000), "2000-02-29 11:59:59 UTC");
        assert_eq!(moment(1_767_225_600_000_000_000), "2026-01-01 00:00:00 UTC");
        assert_eq!(moment(u64::MAX), "2554-07-21 23:34:33 UTC");
    }
}
