//! `weir run --progress`: one line about the program while it runs, on the terminal that standard error is.

use std::io::Write;
use std::time::{Duration, Instant};

use weir_report::model::TimelinePoint;

use super::pace::Ticks;
use crate::{output, text, units};

/// The time between two lines.
const EVERY: Duration = Duration::from_secs(1);

/// What a line is about.
#[derive(Clone, Debug, Default)]
pub struct Sums {
    /// How many processes run.
    pub running: u64,
    /// Counts of all images since the program's start, and the live bytes of those that run.
    pub counts: TimelinePoint,
}

/// The line.
pub struct Progress {
    ticks: Ticks,
    began: Instant,
    /// The counts of the line before, and when they were taken.
    before: (Instant, TimelinePoint),
    is_shown: bool,
}

impl Progress {
    /// None where standard error is no terminal.
    pub fn new() -> Option<Progress> {
        output::error_terminal()?;
        let began = Instant::now();
        Some(Progress {
            ticks: Ticks::new(EVERY),
            began,
            before: (began, TimelinePoint::default()),
            is_shown: false,
        })
    }

    /// How long it is until the next line.
    pub fn wait(&self) -> Duration {
        self.ticks.wait()
    }

    /// Whether it is time for another line.
    pub fn is_due(&mut self) -> bool {
        self.ticks.is_due()
    }

    /// Shows a line in place of the one before.
    pub fn show(&mut self, sums: Sums) {
        let now = Instant::now();
        let (then, before) = std::mem::replace(&mut self.before, (now, sums.counts.clone()));
        let Some(columns) = output::error_terminal() else {
            return;
        };
        let line = line(now - self.began, now - then, &before, &sums, columns);
        self.is_shown = true;
        // If standard error is closed, there is no reader.
        let _ = write!(std::io::stderr(), "\r{line}\x1b[K");
    }

    /// Takes the line away, before something else is written there.
    pub fn clear(&mut self) {
        if std::mem::take(&mut self.is_shown) {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

/// The line; of a narrow terminal, what fits of it.
fn line(
    ran: Duration,
    since: Duration,
    before: &TimelinePoint,
    sums: &Sums,
    columns: usize,
) -> String {
    let rate = |now: u64, before: u64| {
        let rate = now.saturating_sub(before) as f64 / since.as_secs_f64().max(f64::EPSILON);
        rate.round() as u64
    };
    let counts = &sums.counts;
    let parts = [
        text::counted(sums.running, "process", "processes"),
        format!("{} live", units::signed_bytes(counts.live_bytes)),
        format!(
            "{} allocation calls/s",
            units::count(rate(counts.alloc_calls, before.alloc_calls))
        ),
        format!(
            "{}/s read",
            units::bytes(rate(counts.read_bytes, before.read_bytes))
        ),
        format!(
            "{}/s written",
            units::bytes(rate(counts.written_bytes, before.written_bytes))
        ),
    ];
    let mut line = format!("weir: {} s", ran.as_secs());
    for part in parts {
        // The last column stays free: some terminals go on to the next line behind it.
        if line.chars().count() + 2 + part.chars().count() >= columns {
            break;
        }
        line.push_str(", ");
        line.push_str(&part);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_rates_since_the_one_before_and_fits() {
        let point = |calls, read_bytes| TimelinePoint {
            live_bytes: 3 << 20,
            alloc_calls: calls,
            read_bytes,
            ..TimelinePoint::default()
        };
        let sums = Sums {
            running: 2,
            counts: point(5000, 4 << 20),
        };
        let of_width = |columns| {
            let since = Duration::from_secs(2);
            line(
                Duration::from_millis(12_700),
                since,
                &point(1000, 0),
                &sums,
                columns,
            )
        };
        assert_eq!(
            of_width(120),
            "weir: 12 s, 2 processes, 3.00 MiB live, 2,000 allocation calls/s, 2.00 MiB/s read, 0 B/s written"
        );
        assert_eq!(of_width(50), "weir: 12 s, 2 processes, 3.00 MiB live");
        assert_eq!(of_width(5), "weir: 12 s");
    }
}
