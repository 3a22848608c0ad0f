//! Times in the Gregorian calendar, in UTC.

use std::fmt;

const NS_IN_A_SECOND: u64 = 1_000_000_000;
const SECONDS_IN_A_DAY: u64 = 86_400;

/// A moment in UTC. It prints as RFC 3339 has it, with nine decimals: `2026-01-31T12:34:56.000000789Z`. Such texts all have
/// the same length, so they sort in the order of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Utc {
    /// Year, from 1970 to 2554: there `u64` nanoseconds end.
    pub year: u64,
    /// Month, from 1.
    pub month: u64,
    /// Day of the month, from 1.
    pub day: u64,
    /// Hour, from 0 to 23.
    pub hour: u64,
    /// Minute, from 0 to 59.
    pub minute: u64,
    /// Second, from 0 to 59: Unix time has no leap seconds.
    pub second: u64,
    /// Nanosecond of the second.
    pub nanosecond: u64,
}

impl Utc {
    /// The moment so many nanoseconds after the Unix epoch.
    pub fn of_unix_ns(unix_ns: u64) -> Utc {
        let seconds = unix_ns / NS_IN_A_SECOND;
        let (year, month, day) = date(seconds / SECONDS_IN_A_DAY);
        let second = seconds % SECONDS_IN_A_DAY;
        Utc {
            year,
            month,
            day,
            hour: second / 3600,
            minute: second / 60 % 60,
            second: second % 60,
            nanosecond: unix_ns % NS_IN_A_SECOND,
        }
    }
}

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:09}Z",
            self.year, self.month, self.day, self.hour, self.minute, self.second, self.nanosecond
        )
    }
}

/// Year, month and day of a day counted from 1970-01-01.
fn date(mut days: u64) -> (u64, u64, u64) {
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let mut year = 1970;
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + u64::from(is_leap(year));
    let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 1;
    for length in lengths {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    (year, month, days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The texts are those of `date -u +%FT%TZ -d @SECONDS`.
    #[test]
    fn moments_are_those_of_the_calendar() {
        let text = |unix_ns| Utc::of_unix_ns(unix_ns).to_string();
        let of_seconds = |seconds: u64| text(seconds * NS_IN_A_SECOND);
        assert_eq!(of_seconds(0), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(of_seconds(951_782_399), "2000-02-28T23:59:59.000000000Z");
        assert_eq!(of_seconds(951_782_400), "2000-02-29T00:00:00.000000000Z");
        assert_eq!(of_seconds(1_735_689_599), "2024-12-31T23:59:59.000000000Z");
        assert_eq!(of_seconds(4_107_542_400), "2100-03-01T00:00:00.000000000Z");
        assert_eq!(
            text(1_790_000_000_000_000_789),
            "2026-09-21T14:13:20.000000789Z"
        );
        assert_eq!(text(u64::MAX), "2554-07-21T23:34:33.709551615Z");
    }
}
